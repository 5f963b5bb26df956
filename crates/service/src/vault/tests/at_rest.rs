use super::*;

/// Invariant 1 and P1: a search of everything on the disk finds no plaintext, temporary files included.
#[tokio::test]
async fn nothing_lies_in_the_clear() {
    let scene = scene().await;
    let secrets = [
        "CANARY-BODY-SMALL",
        "CANARY-BODY-LARGE",
        "CANARY-META",
        "CANARY-TAG",
        "CANARY-TYPE",
        "CANARY-PART",
    ];
    let options = || PutOptions {
        headers: ContentHeaders {
            content_type: Some("CANARY-TYPE".into()),
            ..ContentHeaders::default()
        },
        user_metadata: [("x".to_owned(), "CANARY-META".to_owned())].into(),
        tags: vec![("t".into(), "CANARY-TAG".into())],
        ..PutOptions::default()
    };
    let small = b"CANARY-BODY-SMALL".repeat(10);
    let large = b"CANARY-BODY-LARGE".repeat(40_000);
    let put = async |key: &str, bytes: &[u8]| {
        scene
            .vault
            .put(&scene.alice, "box", key, options(), pieces(bytes, 50_000))
            .await
            .unwrap()
    };
    let stored = [put("small", &small).await, put("large", &large).await];
    let upload = scene
        .vault
        .create_upload(&scene.alice, "box", "u", UploadOptions::default())
        .await
        .unwrap();
    let part = pieces(&b"CANARY-PART".repeat(1000), 50_000);
    scene
        .vault
        .put_part(
            &scene.alice,
            "box",
            "u",
            &upload.id,
            1,
            PartOptions::default(),
            part,
        )
        .await
        .unwrap();

    // A body that is still coming in, with its first megabyte on the disk.
    let (sender, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(1);
    let coming = stream::unfold(
        receiver,
        |mut r| async move { r.recv().await.map(|piece| (piece, r)) },
    );
    let vault = scene.vault.clone();
    let who = scene.alice.clone();
    let unfinished = tokio::spawn(async move {
        vault
            .put(&who, "box", "later", PutOptions::default(), coming)
            .await
            .is_ok()
    });
    for _ in 0..10 {
        sender
            .send(Ok(Bytes::from(b"CANARY-BODY-LARGE".repeat(8000))))
            .await
            .unwrap();
    }
    let temporary = || files(&scene.folder.path().join("blobs/unfinished"));
    while temporary().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    let mut needles: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
    for bytes in [&small, &large] {
        // Digests of content would let anybody confirm a guess of it.
        let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
        needles.push(digest.to_vec());
        needles.push(hex::encode(digest).into_bytes());
    }
    for stored in &stored {
        needles.push(stored.checksums[0].value.clone().into_bytes());
    }
    for file in files(scene.folder.path()) {
        let bytes = std::fs::read(&file).unwrap();
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(
                !found,
                "`{}` in {}",
                String::from_utf8_lossy(needle),
                file.display()
            );
        }
    }
    drop(sender);
    assert!(unfinished.await.unwrap());
    assert!(temporary().is_empty());
    assert_eq!(scene.get("large").await.unwrap(), large);
}
