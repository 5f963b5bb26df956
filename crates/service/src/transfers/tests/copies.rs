//! Copies: the original stays, the copy reads by itself, and it ends with its object, its account's keys, or its basis.

use std::time::Duration;

use casework::{
    demand::Category,
    ids::AccountId,
    record::{AccountRef, ReleasedObject},
    transfer::Mode,
};
use envelope::keys::{WRAPPED_BYTES, Wrapped};
use store::vault::Relocation;
use tokio::time::{Instant, sleep};

use super::{scene::contoso, *};
use crate::{
    app::ports::VaultPort as _,
    vault::scrub::{Progress, ScrubOptions, Told},
};

const SOON: Duration = Duration::from_secs(60);

async fn sweep(scene: &Scene) {
    scene.vault.sweep(Duration::ZERO, Duration::ZERO).await.unwrap();
}

async fn copied(scene: &Scene) -> casework::ids::CaseId {
    let transfer = scene.approved_as(Mode::Copy, "US", Scene::bucket()).await;
    let done = scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(done.objects, 4);
    transfer
}

/// What is replaced or deleted is freed beside whoever asked.
async fn blobs_come_to(scene: &Scene, region: &str, count: usize) {
    let late = Instant::now() + SOON;
    while scene.blobs(region).len() != count {
        assert!(Instant::now() < late, "{region}: {:?}", scene.blobs(region));
        sleep(Duration::from_millis(20)).await;
    }
}

fn alice_in(region: &str) -> AccountRef {
    AccountRef {
        tenant: contoso(),
        account: AccountId::new("alice").unwrap(),
        region: super::region(region),
    }
}

/// Alice's objects that lie in a region, and her copies there, as a release looks for them.
async fn found(scene: &Scene, region: &str) -> (Vec<ReleasedObject>, Vec<ReleasedObject>) {
    let (account, categories) = (alice_in(region), [Category::Content]);
    let mut objects = scene.vault.scope(&account, &categories, None, 10).await.unwrap();
    objects.retain(|object| object.account == account);
    let copies = scene.vault.copies(&account, &categories, None, 10).await.unwrap();
    (objects, copies)
}

#[tokio::test]
async fn p19_a_bucket_is_copied_whole_and_the_original_stays() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = copied(&scene).await;
    scene.everything_is_copied().await;
    assert_eq!((scene.blobs(EU).len(), scene.blobs(US).len()), (2, 2));
    assert!(scene.has_key("alice", EU).await && scene.has_key("alice", US).await);
    let view = scene.transfers.view(transfer).await.unwrap();
    assert_eq!(
        (
            view.stage,
            view.left.objects,
            view.moved.objects,
            view.there.objects
        ),
        (Stage::Done, 0, 4, 4)
    );
    // Said again, it answers the same, and so does another transfer of the same: there is nothing left to copy.
    let again = scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(again.objects, 4);
    let second = scene.approved_as(Mode::Copy, "US", Scene::bucket()).await;
    let none = scene.transfers.start(second, olga(), |_, _| ()).await.unwrap();
    assert_eq!(none.objects, 0);
    assert_eq!(scene.blobs(US).len(), 2);

    // Nothing that a sweep or a scrub would miss: every copy's pieces are looked at, and none is nobody's.
    sweep(&scene).await;
    let (mut progress, mut findings) = (Progress::default(), Vec::new());
    let options = ScrubOptions {
        orphan_age: Some(Duration::ZERO),
        ..ScrubOptions::default()
    };
    let tell = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            findings.push(finding);
        }
    };
    scene.vault.scrub(&options, &mut progress, tell).await.unwrap();
    assert_eq!((progress.tally.blobs, findings), (4, Vec::new()));
    scene.everything_is_copied().await;

    // It needs nothing of where the original lies.
    scene.lose(EU);
    assert_eq!(scene.copy("mail/alice/1", US).await.unwrap(), body(300_000));
    let lost = scene.copy("mail/alice/1", EU).await;
    assert!(lost.is_err());
}

#[tokio::test]
async fn p19_a_copy_ends_with_its_object_and_what_is_stored_later_has_none() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = copied(&scene).await;
    scene.put("mail/alice/1", &body(300_001)).await;
    scene.delete("mail/bob/1").await;
    blobs_come_to(&scene, US, 0).await;
    let none = scene.copy("mail/alice/1", US).await;
    assert!(matches!(none, Err(VaultError::NoCopy { .. })), "{none:?}");
    let none = scene.copy("mail/bob/1", US).await;
    assert!(matches!(none, Err(VaultError::NoSuchKey)), "{none:?}");
    assert_eq!(scene.copy("mail/alice/2", US).await.unwrap(), body(10));
    let view = scene.transfers.view(transfer).await.unwrap();
    assert_eq!((view.there.objects, view.left.objects), (2, 1));
}

/// Whatever fails, and wherever it stops: the original is as it was, and the copy goes on when it is started again.
#[tokio::test]
async fn p19_a_copy_goes_on_after_a_fault_at_any_step() {
    for step in Step::COPY {
        for when in [When::Before, When::After] {
            let scene = Scene::new(Arc::new(Once::new(step, when))).await;
            let transfer = scene.approved_as(Mode::Copy, "US", Scene::bucket()).await;
            let failed = scene.transfers.start(transfer, olga(), |_, _| ()).await;
            assert!(
                matches!(failed, Err(TransferError::Injected(_))),
                "{step:?} {when:?}: {failed:?}"
            );
            scene.everything_reads(EU).await;
            sweep(&scene).await;
            let done = scene.transfers.start(transfer, olga(), |_, _| ()).await;
            let done = done.unwrap_or_else(|error| panic!("{step:?} {when:?}: {error}"));
            assert_eq!(done.objects, 4, "{step:?} {when:?}");
            scene.everything_is_copied().await;
            sweep(&scene).await;
            assert_eq!(
                (scene.blobs(EU).len(), scene.blobs(US).len()),
                (2, 2),
                "{step:?} {when:?}"
            );
        }
    }
}

/// The same for its end: at no step is the original touched, and nothing of the copy is left.
#[tokio::test]
async fn p19_a_copy_is_deleted_whole_after_a_fault_at_any_step() {
    for step in Step::WITHDRAW {
        for when in [When::Before, When::After] {
            let scene = Scene::new(Arc::new(Once::new(step, when))).await;
            let transfer = copied(&scene).await;
            let why = || "nobody reads it there".to_owned();
            let failed = scene.transfers.withdraw(transfer, olga(), why()).await;
            assert!(
                matches!(failed, Err(TransferError::Injected(_))),
                "{step:?} {when:?}: {failed:?}"
            );
            scene.everything_reads(EU).await;
            sweep(&scene).await;
            let gone = scene.transfers.withdraw(transfer, olga(), why()).await;
            let gone = gone.unwrap_or_else(|error| panic!("{step:?} {when:?}: {error}"));
            assert_eq!(gone.objects, 4, "{step:?} {when:?}");
            scene.everything_reads(EU).await;
            assert_eq!(
                (scene.blobs(EU).len(), scene.blobs(US).len()),
                (2, 0),
                "{step:?} {when:?}"
            );
            for account in ["alice", "bob"] {
                assert!(!scene.has_key(account, US).await, "{step:?} {when:?}");
                assert!(scene.has_key(account, EU).await, "{step:?} {when:?}");
            }
            let view = scene.transfers.view(transfer).await.unwrap();
            assert_eq!((view.stage, view.there.objects), (Stage::Withdrawn, 0));
            let again = scene.transfers.withdraw(transfer, olga(), why()).await.unwrap();
            assert_eq!(again, gone);
        }
    }
}

#[tokio::test]
async fn p19_a_basis_that_ends_names_the_copies_that_hang_on_it_until_they_are_deleted() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved_as(Mode::Copy, "GB", Scene::bucket()).await;
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    scene.clock.set("2031-12-28T00:00:00Z".parse().unwrap());
    assert_eq!(scene.transfers.note_lapses().await.unwrap(), [transfer]);
    let register = || async {
        let today = scene.transfers.today();
        let entries = scene.transfers.register(today).await.unwrap();
        (entries[0].hanging, entries[0].lies_there)
    };
    assert_eq!(register().await, (Hanging::CopyLyingThere, Some(4)));
    let why = "the decision ended".to_owned();
    scene.transfers.withdraw(transfer, olga(), why).await.unwrap();
    assert_eq!(register().await, (Hanging::No, Some(0)));
    assert_eq!(scene.transfers.note_lapses().await.unwrap(), []);
    scene.everything_reads(EU).await;
}

#[tokio::test]
async fn an_account_that_is_destroyed_is_readable_nowhere() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    copied(&scene).await;
    let alice = AccountId::new("alice").unwrap();
    let store = scene.vault.store();
    let destroyed = store
        .destroy_account(&contoso(), &alice, Timestamp::now())
        .await
        .unwrap();
    let regions: Vec<_> = destroyed.keys.iter().map(|key| key.region.as_str()).collect();
    assert_eq!(regions.len(), 2, "{regions:?}");
    let here = scene.copy("mail/alice/1", EU).await;
    assert!(matches!(here, Err(VaultError::AccountDestroyed)), "{here:?}");
    let there = scene.copy("mail/alice/1", US).await;
    assert!(matches!(there, Err(VaultError::AccountDestroyed)), "{there:?}");
    assert_eq!(found(&scene, US).await.1, [], "and nothing is released of it");
    assert_eq!(scene.copy("mail/bob/1", US).await.unwrap(), body(400_000));
}

#[tokio::test]
async fn a_rotation_there_reaches_the_copies() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    copied(&scene).await;
    let (alice, us) = (AccountId::new("alice").unwrap(), region(US));
    let before = found(&scene, US).await.1;
    let done = scene
        .vault
        .rotate_account(&contoso(), &alice, &us, &|_| ())
        .await
        .unwrap();
    assert_eq!(done.moved, 2);
    let after = found(&scene, US).await.1;
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before.key != after.key)
    );
    let store = scene.vault.store();
    let versions = store.account_versions(&contoso(), &alice, &us).await.unwrap();
    assert_eq!(versions.len(), 1, "the old key is gone");
    scene.everything_is_copied().await;
}

/// A release finds each object where it lies, and its copy where that region alone is chosen: once each.
#[tokio::test]
async fn p12_a_release_finds_an_object_where_it_lies_and_its_copy_in_the_other_region() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    copied(&scene).await;
    let (objects, copies) = found(&scene, EU).await;
    assert_eq!((objects.len(), copies.len()), (2, 0));
    let (none, there) = found(&scene, US).await;
    assert_eq!((none.len(), there.len()), (0, 2));
    for (object, copy) in objects.iter().zip(&there) {
        assert_eq!((object.object, object.commitment), (copy.object, copy.commitment));
        assert_ne!(object.key, copy.key);
    }
    // The keys that the gate is shown are those of the place that the record names.
    for (named, region) in [(&objects, EU), (&there, US)] {
        let keys = scene.vault.keys(named).await.unwrap();
        for (named, chain) in named.iter().zip(keys) {
            assert_eq!(chain.account.region, region);
            assert_eq!(chain.object_key.digest(), named.key.0);
        }
    }
}

/// Copied first, moved to the same region afterwards: it lies there once.
#[tokio::test]
async fn p19_what_is_moved_to_where_its_copy_lies_lies_there_once() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let copy = copied(&scene).await;
    let transfer = scene.approved("US").await;
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    scene.everything_reads(US).await;
    blobs_come_to(&scene, US, 2).await;
    assert_eq!(scene.blobs(EU).len(), 0);
    assert_eq!(scene.transfers.view(copy).await.unwrap().there.objects, 0);
    let (objects, copies) = found(&scene, US).await;
    assert_eq!((objects.len(), copies.len()), (2, 0));
    // To give up the copy deletes nothing that lies there.
    let gone = scene
        .transfers
        .withdraw(copy, olga(), "moved since".to_owned())
        .await
        .unwrap();
    assert_eq!(gone.objects, 0);
    scene.everything_reads(US).await;
}

/// A copy keeps its account's keys there alive, also when what lay there itself moves away.
#[tokio::test]
async fn p19_a_move_away_leaves_the_keys_that_copies_need() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = copied(&scene).await;
    let store = scene.vault.store();
    store.forget_left_keys(transfer, &region(US)).await.unwrap();
    scene.everything_is_copied().await;
}

/// Whoever lost the claim may still be about to record copies; once they were given up, none is.
#[tokio::test]
async fn p19_a_mover_that_lost_its_claim_copies_nothing_that_was_given_up() {
    let scene = Scene::new(Arc::new(Once::new(Step::RecordCopies, When::Before))).await;
    let transfer = scene.approved_as(Mode::Copy, "US", Scene::alice()).await;
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    let (keys, to) = scene.keys().await;
    let gone = scene
        .transfers
        .withdraw(transfer, olga(), "not needed".to_owned())
        .await
        .unwrap();
    assert_eq!(gone.objects, 0);
    let late = Relocation {
        object: casework::ids::ObjectId(uuid::Uuid::from_bytes(keys[0].object)),
        old_key: keys[0].object_key.clone(),
        new_key: Wrapped::from_bytes(&[9; WRAPPED_BYTES]).unwrap(),
        under: to[0].account_key.clone(),
    };
    let store = scene.vault.store();
    store
        .add_copies(transfer, &region(EU), &region(US), vec![late])
        .await
        .unwrap();
    assert_eq!(store.copies_by(transfer).await.unwrap().objects, 0);
    assert_eq!(scene.blobs(US).len(), 0);
    scene.everything_reads(EU).await;
}
