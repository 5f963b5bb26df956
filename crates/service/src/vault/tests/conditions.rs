//! Preconditions on reads and writes.

use jiff::Timestamp;

use super::*;

#[tokio::test]
async fn conditions_on_reads() {
    let scene = scene().await;
    let etag = scene.put("k", b"x").await.etag;
    let at = |seconds: i64| Some(Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap());
    let tags = |tag: &str| Some(EtagMatch::Tags(vec!["other".into(), tag.into()]));
    let none = Conditions::default;
    let cases = [
        (
            Conditions {
                if_match: tags(&etag),
                ..none()
            },
            "ok",
        ),
        (
            Conditions {
                if_match: Some(EtagMatch::Any),
                ..none()
            },
            "ok",
        ),
        (
            Conditions {
                if_match: tags("no"),
                ..none()
            },
            "failed",
        ),
        (
            Conditions {
                if_none_match: tags(&etag),
                ..none()
            },
            "not modified",
        ),
        (
            Conditions {
                if_none_match: tags("no"),
                ..none()
            },
            "ok",
        ),
        (
            Conditions {
                if_modified_since: at(60),
                ..none()
            },
            "not modified",
        ),
        (
            Conditions {
                if_modified_since: at(-60),
                ..none()
            },
            "ok",
        ),
        (
            Conditions {
                if_unmodified_since: at(-60),
                ..none()
            },
            "failed",
        ),
        (
            Conditions {
                if_unmodified_since: at(60),
                ..none()
            },
            "ok",
        ),
        // The tag outweighs the time, in both directions.
        (
            Conditions {
                if_match: tags(&etag),
                if_unmodified_since: at(-60),
                ..none()
            },
            "ok",
        ),
        (
            Conditions {
                if_none_match: tags("no"),
                if_modified_since: at(60),
                ..none()
            },
            "ok",
        ),
    ];
    for (conditions, expected) in cases {
        let seen = match scene.vault.head(&scene.alice, "box", "k", &conditions).await {
            Ok(_) => "ok",
            Err(VaultError::PreconditionFailed) => "failed",
            Err(VaultError::NotModified { .. }) => "not modified",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(seen, expected, "{conditions:?}");
    }
}

#[tokio::test]
async fn conditions_on_writes() {
    let scene = scene().await;
    let put = async |conditions: WriteConditions| {
        let options = PutOptions {
            conditions,
            ..PutOptions::default()
        };
        scene
            .vault
            .put(&scene.alice, "box", "k", options, pieces(b"x", 1))
            .await
    };
    let absent = || WriteConditions {
        if_none_match: Some(EtagMatch::Any),
        if_match: None,
    };
    let with = |tag: &str| WriteConditions {
        if_match: Some(EtagMatch::Tags(vec![tag.to_owned()])),
        if_none_match: None,
    };
    assert!(matches!(put(with("x")).await, Err(VaultError::NoSuchKey)));
    let first = put(absent()).await.unwrap();
    assert!(matches!(put(absent()).await, Err(VaultError::PreconditionFailed)));
    assert!(matches!(
        put(with("x")).await,
        Err(VaultError::PreconditionFailed)
    ));
    let second = put(with(&first.etag)).await.unwrap();
    assert!(matches!(
        put(with(&first.etag)).await,
        Err(VaultError::PreconditionFailed)
    ));

    let tag = |tag: &str| Some(EtagMatch::Tags(vec![tag.to_owned()]));
    let delete = scene
        .vault
        .delete(&scene.alice, "box", "k", tag(&first.etag))
        .await;
    assert!(matches!(delete, Err(VaultError::PreconditionFailed)));
    scene
        .vault
        .delete(&scene.alice, "box", "k", tag(&second.etag))
        .await
        .unwrap();
    assert!(matches!(scene.get("k").await, Err(VaultError::NoSuchKey)));
    scene.vault.delete(&scene.alice, "box", "k", None).await.unwrap();
}

#[tokio::test]
async fn of_many_that_want_to_be_first_one_is() {
    let scene = scene().await;
    let attempts = (0..32).map(|n| {
        let vault = scene.vault.clone();
        let who = scene.alice.clone();
        async move {
            let options = PutOptions {
                conditions: WriteConditions {
                    if_none_match: Some(EtagMatch::Any),
                    if_match: None,
                },
                ..PutOptions::default()
            };
            vault
                .put(&who, "box", "k", options, pieces(&[n; 10], 10))
                .await
                .is_ok()
        }
    });
    let won = futures::future::join_all(attempts).await;
    assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
}
