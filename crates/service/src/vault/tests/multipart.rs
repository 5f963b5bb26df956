use std::time::Duration;

use super::*;

const MIN: usize = 5 * 1024 * 1024;

async fn upload(scene: &Scene, options: UploadOptions) -> UploadInfo {
    scene
        .vault
        .create_upload(&scene.alice, "box", "big", options)
        .await
        .unwrap()
}

async fn part(scene: &Scene, upload: &UploadInfo, number: u32, bytes: &[u8]) -> PartInfo {
    let body = pieces(bytes, 1 << 20);
    let options = PartOptions::default();
    scene
        .vault
        .put_part(&scene.alice, "box", "big", &upload.id, number, options, body)
        .await
        .unwrap()
}

fn named(parts: &[&PartInfo]) -> Completion {
    let name = |part: &&PartInfo| CompletedPart {
        number: part.number,
        etag: part.etag.clone(),
        checksums: Vec::new(),
    };
    Completion {
        parts: parts.iter().map(name).collect(),
        ..Completion::default()
    }
}

async fn complete(scene: &Scene, upload: &UploadInfo, completion: Completion) -> Result<Stored> {
    scene
        .vault
        .complete_upload(&scene.alice, "box", "big", &upload.id, completion)
        .await
}

#[tokio::test]
async fn parts_make_an_object() {
    let scene = scene().await;
    let options = UploadOptions {
        user_metadata: [("k".to_owned(), "v".to_owned())].into(),
        ..UploadOptions::default()
    };
    let upload = upload(&scene, options).await;
    let (a, b, c) = (body(MIN), body(MIN + 7), body(100));
    let third = part(&scene, &upload, 7, &c).await;
    part(&scene, &upload, 2, &c).await;
    let second = part(&scene, &upload, 2, &b).await;
    let first = part(&scene, &upload, 1, &a).await;
    part(&scene, &upload, 9, &c).await;

    let listed = scene
        .vault
        .list_parts(&scene.alice, "box", "big", &upload.id, Some(1), 2)
        .await
        .unwrap();
    let numbers: Vec<u32> = listed.parts.iter().map(|part| part.number).collect();
    assert_eq!((numbers, listed.next), (vec![2, 7], Some(7)));

    assert!(matches!(
        complete(&scene, &upload, named(&[])).await,
        Err(VaultError::PartCount)
    ));
    assert!(matches!(
        complete(&scene, &upload, named(&[&second, &first])).await,
        Err(VaultError::PartOrder)
    ));
    let mut other = first.clone();
    other.etag = "0".repeat(32);
    assert!(matches!(
        complete(&scene, &upload, named(&[&other])).await,
        Err(VaultError::NoSuchPart { number: 1 })
    ));

    let stored = complete(&scene, &upload, named(&[&first, &second, &third]))
        .await
        .unwrap();
    let whole = [a.clone(), b.clone(), c.clone()].concat();
    assert!(stored.etag.ends_with("-3"), "{}", stored.etag);
    assert_eq!(scene.get("big").await.unwrap(), whole);
    let info = scene
        .vault
        .head(&scene.alice, "box", "big", &Conditions::default())
        .await
        .unwrap();
    assert_eq!((info.parts, info.size), (Some(3), whole.len() as u64));
    assert_eq!(info.user_metadata["k"], "v");

    // The checksum is the one that the whole would have had in a single PUT.
    let single = scene.put("single", &whole).await;
    assert_eq!(info.checksums, single.checksums);

    // Ranges across the seam, and by part.
    let seam = MIN as u64;
    let (seen, _) = scene
        .range("big", Some(Range::FromTo(seam - 3, seam + 3)))
        .await
        .unwrap();
    assert_eq!(seen, whole[MIN - 3..MIN + 4]);
    assert_eq!(scene.range("big", Some(Range::Part(7))).await.unwrap().0, c);
    assert!(matches!(
        scene.range("big", Some(Range::Part(3))).await,
        Err(VaultError::BadRange { .. })
    ));
    assert_eq!(
        scene
            .vault
            .object_parts(&scene.alice, "box", "big")
            .await
            .unwrap()
            .1
            .len(),
        3
    );

    // A completion whose answer got lost is answered again; the parts not named are gone.
    let again = complete(&scene, &upload, named(&[&first, &second, &third]))
        .await
        .unwrap();
    assert_eq!(again.etag, stored.etag);
    for _ in 0..50 {
        if blob_files(scene.folder.path()).len() == 4 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("parts not named stay");
}

#[tokio::test]
async fn only_the_last_part_may_be_small() {
    let scene = scene().await;
    let upload = upload(&scene, UploadOptions::default()).await;
    let a = part(&scene, &upload, 1, b"a").await;
    let b = part(&scene, &upload, 2, b"b").await;
    let small = complete(&scene, &upload, named(&[&a, &b])).await;
    assert!(matches!(small, Err(VaultError::PartTooSmall { number: 1, .. })));
    complete(&scene, &upload, named(&[&b])).await.unwrap();
    assert_eq!(scene.get("big").await.unwrap(), b"b");
}

#[tokio::test]
async fn checksums_of_parts_and_whole() {
    let scene = scene().await;
    let cases = [
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32C, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
    ];
    for (algorithm, covers) in cases {
        let options = UploadOptions {
            checksum: Some(algorithm),
            checksum_type: Some(covers),
            ..UploadOptions::default()
        };
        let upload = upload(&scene, options).await;
        let a = part(&scene, &upload, 1, &body(MIN)).await;
        let b = part(&scene, &upload, 2, b"tail").await;
        assert_eq!(a.checksums[0].algorithm, algorithm);
        let mut wrong = named(&[&a, &b]);
        wrong.checksums = vec![Checksum {
            algorithm,
            value: "AAAAAA==".into(),
        }];
        assert!(matches!(
            complete(&scene, &upload, wrong).await,
            Err(VaultError::BadChecksum { .. })
        ));
        let stored = complete(&scene, &upload, named(&[&a, &b])).await.unwrap();
        assert_eq!(stored.checksum_type, Some(covers));
        assert_eq!(
            stored.checksums[0].value.ends_with("-2"),
            covers == ChecksumType::Composite
        );
    }
    let options = UploadOptions {
        checksum: Some(ChecksumAlgorithm::Sha1),
        checksum_type: Some(ChecksumType::FullObject),
        ..UploadOptions::default()
    };
    let refused = scene
        .vault
        .create_upload(&scene.alice, "box", "big", options)
        .await;
    assert!(matches!(refused, Err(VaultError::ChecksumMismatch { .. })));
}

#[tokio::test]
async fn uploads_are_listed_and_aborted() {
    let scene = scene().await;
    let mut ids = Vec::new();
    for key in ["a/1", "a/1", "b", "c/x"] {
        let upload = scene
            .vault
            .create_upload(&scene.alice, "box", key, UploadOptions::default())
            .await
            .unwrap();
        ids.push((key, upload.id));
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query = UploadQuery {
            after,
            max_uploads: 1,
            ..UploadQuery::default()
        };
        let page = scene
            .vault
            .list_uploads(&scene.alice, "box", &query)
            .await
            .unwrap();
        seen.extend(page.uploads.into_iter().map(|upload| (upload.key, upload.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut expected: Vec<_> = ids
        .iter()
        .map(|(key, id)| ((*key).to_owned(), id.clone()))
        .collect();
    expected.sort();
    assert_eq!(seen, expected);
    let query = UploadQuery {
        delimiter: Some("/".into()),
        max_uploads: 10,
        ..UploadQuery::default()
    };
    let page = scene
        .vault
        .list_uploads(&scene.alice, "box", &query)
        .await
        .unwrap();
    assert_eq!(
        (page.uploads.len(), page.common_prefixes),
        (1, vec!["a/".to_owned(), "c/".to_owned()])
    );

    for (key, id) in &ids {
        scene
            .vault
            .abort_upload(&scene.alice, "box", key, id)
            .await
            .unwrap();
        let again = scene.vault.abort_upload(&scene.alice, "box", key, id).await;
        assert!(matches!(again, Err(VaultError::NoSuchUpload)));
    }
}

#[tokio::test]
async fn a_part_can_be_a_copy() {
    let scene = scene().await;
    let bytes = body(100_000);
    scene.put("source", &bytes).await;
    let upload = upload(&scene, UploadOptions::default()).await;
    let copied = scene
        .vault
        .put_part_copy(
            &scene.alice,
            "box",
            "big",
            &upload.id,
            1,
            ("box", "source"),
            Some(Range::FromTo(10, 99)),
            &Conditions::default(),
        )
        .await
        .unwrap();
    complete(&scene, &upload, named(&[&copied.0])).await.unwrap();
    assert_eq!(scene.get("big").await.unwrap(), bytes[10..100]);
}
