use std::time::Duration;

use super::*;

const SIZES: [usize; 10] = [
    0, 1, 4096, 16_383, 16_384, 16_385, 65_000, 70_000, 300_000, 1_000_003,
];

#[tokio::test]
async fn what_is_put_is_got() {
    let scene = scene().await;
    for size in SIZES {
        let bytes = body(size);
        let stored = scene.put("a", &bytes).await;
        assert_eq!(stored.size, size as u64);
        assert_eq!(scene.get("a").await.unwrap(), bytes, "{size}");
        let info = scene
            .vault
            .head(&scene.alice, "box", "a", &Conditions::default())
            .await
            .unwrap();
        assert_eq!((info.size, info.etag), (size as u64, stored.etag));
        assert_eq!(info.checksums.len(), 1, "CRC-64/NVME is kept unasked");
    }
    // Each overwrote the one before: at most one blob is left, as soon as deletions are through.
    for _ in 0..50 {
        if blob_files(scene.folder.path()).len() <= 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("overwritten blobs stay");
}

#[tokio::test]
async fn ranges() {
    let scene = scene().await;
    for size in [10_usize, 16_384, 300_000, 1_000_003] {
        let bytes = body(size);
        scene.put("a", &bytes).await;
        let last = size as u64 - 1;
        let cases = [
            (Range::FromTo(0, 0), 0, 1),
            (Range::FromTo(0, last), 0, size),
            (Range::FromTo(5, 7), 5, 8),
            (Range::FromTo(last, u64::MAX), size - 1, size),
            (Range::From(3), 3, size),
            (Range::Last(4), size - 4, size),
            (Range::Last(u64::MAX), 0, size),
            (Range::Part(1), 0, size),
            (
                Range::FromTo(last / 2, last / 2 + 1),
                (size - 1) / 2,
                ((size - 1) / 2 + 2).min(size),
            ),
        ];
        for (range, start, end) in cases {
            let (seen, resolved) = scene.range("a", Some(range)).await.unwrap();
            assert_eq!(seen, bytes[start..end], "{range:?} of {size}");
            assert_eq!((resolved.start, resolved.end), (start as u64, end as u64));
        }
        for range in [
            Range::From(size as u64),
            Range::FromTo(last + 1, last + 2),
            Range::Last(0),
            Range::Part(2),
        ] {
            assert!(
                matches!(
                    scene.range("a", Some(range)).await,
                    Err(VaultError::BadRange { .. })
                ),
                "{range:?}"
            );
        }
    }
}

#[tokio::test]
async fn metadata_tags_and_checksums_come_back() {
    let scene = scene().await;
    let options = || PutOptions {
        headers: ContentHeaders {
            content_type: Some("text/plain".into()),
            cache_control: Some("no-store".into()),
            ..ContentHeaders::default()
        },
        user_metadata: [("colour".to_owned(), "blau".to_owned())].into(),
        tags: vec![("a".into(), "1".into()), ("b".into(), String::new())],
        ..PutOptions::default()
    };
    let five = [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ];
    for algorithm in five {
        let mut put = options();
        put.compute = Some(algorithm);
        let stored = scene
            .vault
            .put(&scene.alice, "box", "k", put, pieces(b"hello", 2))
            .await
            .unwrap();
        let info = scene
            .vault
            .head(&scene.alice, "box", "k", &Conditions::default())
            .await
            .unwrap();
        assert_eq!(info.headers, options().headers);
        assert_eq!(info.user_metadata, options().user_metadata);
        assert_eq!(info.checksums, stored.checksums);
        assert_eq!(info.checksums[0].algorithm, algorithm);

        // Sent back with a body, the checksum verifies; with another body it does not, and nothing changes.
        let mut put = options();
        put.checksums = stored.checksums.clone();
        scene
            .vault
            .put(&scene.alice, "box", "k", put, pieces(b"hello", 1))
            .await
            .unwrap();
        let mut put = options();
        put.trailer_algorithms = vec![algorithm];
        let sent = stored.checksums.clone();
        put.trailer = Some(Box::new(move || sent));
        let wrong = scene
            .vault
            .put(&scene.alice, "box", "k", put, pieces(b"hullo", 9))
            .await;
        assert!(matches!(wrong, Err(VaultError::BadChecksum { .. })));
        assert_eq!(scene.get("k").await.unwrap(), b"hello");
    }
    assert_eq!(
        scene.vault.tags(&scene.alice, "box", "k").await.unwrap().0,
        options().tags
    );
    scene
        .vault
        .put_tags(&scene.alice, "box", "k", vec![("z".into(), "9".into())])
        .await
        .unwrap();
    assert_eq!(
        scene.vault.tags(&scene.alice, "box", "k").await.unwrap().0,
        [("z".to_owned(), "9".to_owned())]
    );
    assert_eq!(scene.get("k").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_body_must_be_what_was_said() {
    let scene = scene().await;
    let wrong = [
        PutOptions {
            content_md5: Some([0; 16]),
            ..PutOptions::default()
        },
        PutOptions {
            content_length: Some(6),
            ..PutOptions::default()
        },
    ];
    for options in wrong {
        assert!(
            scene
                .vault
                .put(&scene.alice, "box", "k", options, pieces(b"hello", 9))
                .await
                .is_err()
        );
    }
    let broken = stream::iter([Ok(Bytes::from_static(b"he")), Err(std::io::Error::other("gone"))]);
    let put = scene
        .vault
        .put(&scene.alice, "box", "k", PutOptions::default(), broken)
        .await;
    assert!(matches!(put, Err(VaultError::IncompleteBody { received: 2 })));
    assert!(matches!(scene.get("k").await, Err(VaultError::NoSuchKey)));
    let md5 = hex::decode("5d41402abc4b2a76b9719d911017c592").unwrap();
    let right = PutOptions {
        content_md5: Some(md5.try_into().unwrap()),
        content_length: Some(5),
        ..PutOptions::default()
    };
    scene
        .vault
        .put(&scene.alice, "box", "k", right, pieces(b"hello", 9))
        .await
        .unwrap();
}

#[tokio::test]
async fn listings_roll_up_and_page() {
    let scene = scene().await;
    let mut keys = vec!["a/1", "a/2", "a/b/3", "b", "c/\u{10FFFF}/x", "c/z", "d", "é"];
    for key in &keys {
        scene.put(key, b"x").await;
    }
    keys.sort_unstable();
    let list = async |query: ListQuery| {
        let page = scene.vault.list(&scene.alice, "box", &query).await.unwrap();
        let keys: Vec<String> = page.objects.into_iter().map(|o| o.key).collect();
        (keys, page.common_prefixes, page.next)
    };
    let query = |prefix: &str, delimiter: Option<&str>| ListQuery {
        prefix: prefix.into(),
        delimiter: delimiter.map(Into::into),
        start_after: None,
        max_keys: 1000,
    };
    assert_eq!(
        list(query("", None)).await,
        (keys.iter().map(|k| (*k).to_owned()).collect(), vec![], None)
    );
    let (seen, prefixes, next) = list(query("", Some("/"))).await;
    assert_eq!(
        (seen, prefixes, next),
        (
            vec!["b".into(), "d".into(), "é".into()],
            vec!["a/".into(), "c/".into()],
            None
        )
    );
    let (seen, prefixes, _) = list(query("a/", Some("/"))).await;
    assert_eq!(
        (seen, prefixes),
        (vec!["a/1".into(), "a/2".into()], vec!["a/b/".to_owned()])
    );
    assert_eq!(list(query("zz", None)).await, (vec![], vec![], None));

    // Page by page, with every page size, nothing is missed or seen twice.
    for max_keys in 1..6 {
        let (mut seen, mut prefixes, mut after) = (vec![], vec![], None);
        loop {
            let mut page = query("", Some("/"));
            page.max_keys = max_keys;
            page.start_after = after;
            let (keys, rolled, next) = list(page).await;
            assert!(keys.len() + rolled.len() <= max_keys as usize);
            seen.extend(keys);
            prefixes.extend(rolled);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["b", "d", "é"], "{max_keys}");
        assert_eq!(prefixes, ["a/", "c/"], "{max_keys}");
    }
    let mut none = query("", None);
    none.max_keys = 0;
    assert_eq!(list(none).await, (vec![], vec![], None));
}

#[tokio::test]
async fn copies_are_encrypted_anew() {
    let scene = scene().await;
    let bytes = body(200_000);
    let mut options = PutOptions {
        user_metadata: [("k".to_owned(), "v".to_owned())].into(),
        tags: vec![("t".into(), "1".into())],
        ..PutOptions::default()
    };
    options.placement.concerns_at = Some("2002-01-02T03:04:05Z".parse().unwrap());
    scene
        .vault
        .put(&scene.alice, "box", "mail/ann/1", options, pieces(&bytes, 9999))
        .await
        .unwrap();
    let copied = scene
        .vault
        .copy(
            &scene.alice,
            ("box", "mail/ann/1"),
            ("box", "mail/ben/1"),
            CopyOptions::default(),
        )
        .await
        .unwrap();
    let info = scene
        .vault
        .head(&scene.alice, "box", "mail/ben/1", &Conditions::default())
        .await
        .unwrap();
    assert_eq!(info.object, copied.0.object);
    assert_eq!(info.account, account("ben"));
    assert_eq!(info.concerns_at, "2002-01-02T03:04:05Z".parse().unwrap());
    assert_eq!(info.user_metadata["k"], "v");
    assert_eq!(info.tag_count, 1);
    // The source's account falls, the copy stays.
    scene
        .vault
        .destroy_account(scene.alice.tenant(), &account("ann"))
        .await
        .unwrap();
    assert_eq!(scene.get("mail/ben/1").await.unwrap(), bytes);
    let itself = ("box", "mail/ben/1");
    let copy = scene
        .vault
        .copy(&scene.alice, itself, itself, CopyOptions::default())
        .await;
    assert!(matches!(copy, Err(VaultError::CopyOntoItself)));
}

#[tokio::test]
async fn headers_outweigh_paths() {
    let scene = scene().await;
    let put = async |metadata: &[(&str, &str)]| {
        let options = PutOptions {
            user_metadata: metadata
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            ..PutOptions::default()
        };
        scene
            .vault
            .put(&scene.alice, "box", "mail/ann/1", options, pieces(b"x", 1))
            .await?;
        scene
            .vault
            .head(&scene.alice, "box", "mail/ann/1", &Conditions::default())
            .await
    };
    let info = put(&[]).await.unwrap();
    assert_eq!((info.account, info.category), (account("ann"), Category::Content));
    let said = [
        ("amparo-account", "Zoe@Contoso.example"),
        ("amparo-category", "traffic"),
        ("amparo-time", "2001-02-03T04:05:06Z"),
    ];
    let info = put(&said).await.unwrap();
    assert_eq!(
        (info.account, info.category),
        (account("zoe@contoso.example"), Category::Traffic)
    );
    assert_eq!(info.concerns_at, "2001-02-03T04:05:06Z".parse().unwrap());
    for bad in [
        ("amparo-account", "a b"),
        ("amparo-category", "assistance"),
        ("amparo-time", "yesterday"),
    ] {
        assert!(
            matches!(put(&[bad]).await, Err(VaultError::BadPlacement { .. })),
            "{bad:?}"
        );
    }
}

#[tokio::test]
async fn buckets_are_deleted_empty() {
    let scene = scene().await;
    let again = scene.vault.create_bucket(&scene.alice, bucket("box")).await;
    assert!(matches!(again, Err(VaultError::BucketExists)));
    scene.put("k", b"x").await;
    let full = scene.vault.delete_bucket(&scene.alice, "box").await;
    assert!(matches!(full, Err(VaultError::BucketNotEmpty)));
    scene.vault.delete(&scene.alice, "box", "k", None).await.unwrap();
    scene
        .vault
        .create_upload(&scene.alice, "box", "u", UploadOptions::default())
        .await
        .unwrap();
    scene.vault.delete_bucket(&scene.alice, "box").await.unwrap();
    assert!(matches!(scene.get("k").await, Err(VaultError::NoSuchBucket)));
    let elsewhere = NewBucket {
        region: region("nowhere"),
        ..bucket("other")
    };
    assert!(scene.vault.create_bucket(&scene.alice, elsewhere).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_one_version_whole() {
    let scene = scene().await;
    let versions = [body(200_000), body(250_000), body(100)];
    scene.put("k", &versions[0]).await;
    let (vault, who, bodies) = (scene.vault.clone(), scene.alice.clone(), versions.clone());
    let writer = tokio::spawn(async move {
        for n in 0..60 {
            let bytes = pieces(&bodies[n % 3], 100_000);
            vault
                .put(&who, "box", "k", PutOptions::default(), bytes)
                .await
                .unwrap();
        }
    });
    while !writer.is_finished() {
        let seen = scene.get("k").await.unwrap();
        assert!(versions.contains(&seen), "{} bytes", seen.len());
    }
    writer.await.unwrap();
}
