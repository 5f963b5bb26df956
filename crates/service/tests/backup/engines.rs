//! The same on a database server, and from one engine to the other.

use std::{fs, path::Path};

use casework::event::Channel;
use service::{
    config::{Config, DatabaseKind},
    deployment::{
        Deployment,
        backup::{BackupError, BackupOptions, BodiesAt, Elsewhere, RestoreOptions, RowsAt, restore, take},
    },
};
use store::{blobs::Location as Bodies, testkit::Server};

use super::{is_whole, keep_busy, nothing_is_there, published, set_up};

fn to(rows: Option<RowsAt>, bodies: Option<BodiesAt>, keys: &Path) -> RestoreOptions {
    RestoreOptions {
        to: Elsewhere {
            rows,
            bodies,
            keys: Some(keys.to_owned()),
        },
        ..RestoreOptions::default()
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |shards| {
        shards
            .flatten()
            .map(|shard| fs::read_dir(shard.path()).map_or(0, Iterator::count))
            .sum()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_on_a_server_is_backed_up_while_it_serves_and_restored_on_either_engine() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let server = Server::start();
    let live = set_up(&path("data"), Some(server.location("live"))).await;
    let running = live.start().await.unwrap();
    published(&live, 0).await;
    live.desk()
        .intake(b"a demand that nobody can read", Channel::Paper, None)
        .await
        .unwrap();
    let writer = keep_busy(&live).await;
    let taken = take(&path("data"), &path("backup"), &BackupOptions::default())
        .await
        .unwrap();
    assert!(taken.manifest.without.is_empty() && taken.manifest.blobs > 0);
    assert!(
        !path("data").join(".backup").exists(),
        "rows in the clear were left behind"
    );
    writer.abort();
    let _ = writer.await;
    running.stop().await;
    live.close().await;
    drop(live);
    // The machine and its database server are gone; what is there is the backup, and the keys in their safe.
    drop(server);
    fs::rename(path("data").join("keys"), path("safe")).unwrap();
    fs::remove_dir_all(path("data")).unwrap();

    let server = Server::start();
    let taken_already = server.location("taken");
    let other = set_up(&path("other"), Some(taken_already.clone())).await;
    other.close().await;
    let unsaid = restore(&path("backup"), &path("new"), to(None, None, &path("safe"))).await;
    assert!(
        matches!(unsaid, Err(BackupError::WhichDatabase)),
        "{:?}",
        unsaid.err()
    );
    nothing_is_there(&path("new"), "no database named");
    let refused = to(Some(RowsAt::Server(taken_already)), None, &path("safe"));
    let refused = restore(&path("backup"), &path("new"), refused)
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().contains("is not empty"), "{refused}");
    nothing_is_there(&path("new"), "a database that is another's");

    // Onto a new server and another store.
    let bodies = Bodies::at(&format!("file://{}", path("bodies").display()));
    fs::create_dir(path("bodies")).unwrap();
    let new = RowsAt::Server(server.location("new"));
    let options = to(Some(new.clone()), Some(BodiesAt::Store(bodies)), &path("safe"));
    let restored = restore(&path("backup"), &path("new"), options).await.unwrap();
    assert!(restored.keys && restored.rows.is_some_and(|rows| rows > 20));
    assert!(
        restored
            .docket
            .is_some_and(|size| size <= taken.manifest.docket_size)
    );
    assert!(!path("new").join("amparo.db").exists() && count(&path("new").join("blobs")) == 0);
    assert!(count(&path("bodies").join("eu-de").join("objects")) > 0);
    let config = Config::read(&path("new").join("amparo.toml")).unwrap();
    assert_eq!(config.database, DatabaseKind::Server);
    let deployment = Deployment::open(&path("new")).await.unwrap();
    is_whole(&deployment, &taken.manifest).await;
    deployment.close().await;
    drop(deployment);
    let again = restore(
        &path("backup"),
        &path("again"),
        to(Some(new), None, &path("safe")),
    )
    .await;
    assert!(again.is_err(), "the database is in use by now");
    nothing_is_there(&path("again"), "a database that is in use");

    // The same backup into a folder; and a backup of that onto a server again.
    let options = to(Some(RowsAt::Folder), None, &path("safe"));
    restore(&path("backup"), &path("folder"), options).await.unwrap();
    let deployment = Deployment::open(&path("folder")).await.unwrap();
    is_whole(&deployment, &taken.manifest).await;
    deployment.close().await;
    drop(deployment);
    let second = take(&path("folder"), &path("second"), &BackupOptions::default())
        .await
        .unwrap();
    let back = RowsAt::Server(server.location("back"));
    let options = to(Some(back), None, &path("safe"));
    restore(&path("second"), &path("third"), options).await.unwrap();
    let deployment = Deployment::open(&path("third")).await.unwrap();
    is_whole(&deployment, &second.manifest).await;
    deployment.close().await;
}
