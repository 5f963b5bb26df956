//! Transfers over a real vault, a real gate and a docket in memory: whole, against faults, and without a basis.

mod across;
mod ailing;
mod copies;
mod doors;
mod held;
pub(crate) mod scene;

use std::sync::Arc;

use bytes::Bytes;
use casework::{
    event::Actor,
    finding::Promise,
    gate::Breach,
    transfer::{Hanging, Stage, TransferBody},
};
use envelope::keys::Wrapped;
use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use store::{
    blobs::BlobId,
    lease::NodeId,
    vault::{Moved, MovedObject, Table},
};

use super::{
    TransferError,
    faults::{NoFaults, Step, When},
    ports::{TransferPort as _, Wrapping},
};
use crate::vault::VaultError;
use scene::{EU, Once, Scene, US, body, olga, region};

#[tokio::test]
async fn p19_a_bucket_moves_whole_and_leaves_nothing_behind() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved("US").await;
    assert_eq!((scene.blobs(EU).len(), scene.blobs(US).len()), (2, 0));
    let mut heard = Vec::new();
    let moved = scene
        .transfers
        .start(transfer, olga(), |moved, whole| heard.push((moved, whole)))
        .await
        .unwrap();
    assert_eq!(moved.objects, 4);
    assert_eq!(heard.last(), Some(&(moved, moved)), "progress ends at the whole");
    scene.everything_reads(US).await;
    assert_eq!(
        (scene.blobs(EU).len(), scene.blobs(US).len()),
        (0, 2),
        "the old copies are gone"
    );
    assert!(!scene.has_key("alice", EU).await, "and so are the keys there");
    // Said again, it answers the same.
    assert_eq!(
        scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap(),
        moved
    );
    let view = scene.transfers.view(transfer).await.unwrap();
    assert_eq!(
        (view.stage, view.left.objects, view.moved.objects),
        (Stage::Done, 0, 4)
    );
    scene.put("late", &body(9)).await;
    assert_eq!(scene.region_of("late").await, US);
    // A sweep finds nothing that is still needed.
    scene
        .vault
        .sweep(std::time::Duration::ZERO, std::time::Duration::ZERO)
        .await
        .unwrap();
    scene.everything_reads(US).await;
}

#[tokio::test]
async fn p19_an_account_moves_and_the_others_stay() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved_for("US", Scene::alice()).await;
    let moved = scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(moved.objects, 2);
    assert_eq!(scene.region_of("mail/alice/1").await, US);
    assert_eq!(scene.region_of("mail/bob/1").await, EU);
    scene.everything_is_readable().await;
}

/// Whatever fails, and wherever it stops: every object stays readable in one region or the other, and the transfer goes on
/// when it is started again.
#[tokio::test]
async fn p19_the_mover_goes_on_after_a_fault_at_any_step() {
    for step in Step::MOVE {
        for when in [When::Before, When::After] {
            let faults = Arc::new(Once::new(step, when));
            let scene = Scene::new(faults.clone()).await;
            let transfer = scene.approved("US").await;
            let failed = scene.transfers.start(transfer, olga(), |_, _| ()).await;
            assert!(
                matches!(failed, Err(TransferError::Injected(_))),
                "{step:?} {when:?}: {failed:?}"
            );
            scene.everything_is_readable().await;
            // Swept in between, as a running service would.
            scene
                .vault
                .sweep(std::time::Duration::ZERO, std::time::Duration::ZERO)
                .await
                .unwrap();
            let moved = scene.transfers.start(transfer, olga(), |_, _| ()).await;
            let moved = moved.unwrap_or_else(|error| panic!("{step:?} {when:?}: {error}"));
            assert_eq!(moved.objects, 4, "{step:?} {when:?}");
            scene.everything_reads(US).await;
            assert_eq!(
                (scene.blobs(EU).len(), scene.blobs(US).len()),
                (0, 2),
                "{step:?} {when:?}"
            );
        }
    }
}

#[tokio::test]
async fn p19_what_is_written_meanwhile_is_caught_up_with() {
    let scene = Scene::new(Arc::new(Once::new(Step::Relocate, When::Before))).await;
    let transfer = scene.approved("US").await;
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    // The bucket was redirected; nothing moved yet.
    scene.put("mail/alice/1", &body(300_001)).await;
    scene.put("mail/alice/new", &body(17)).await;
    scene.delete("mail/bob/1").await;
    assert_eq!(scene.region_of("mail/alice/new").await, US);
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    for (key, bytes) in [
        ("mail/alice/1", body(300_001)),
        ("mail/alice/new", body(17)),
        ("mail/alice/2", body(10)),
    ] {
        assert_eq!(scene.get(key).await, bytes, "{key}");
        assert_eq!(scene.region_of(key).await, US, "{key}");
    }
    scene
        .vault
        .sweep(std::time::Duration::ZERO, std::time::Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(scene.get("mail/alice/1").await, body(300_001));
}

/// A write was sealed under a key that a transfer forgets before the write is recorded, and another write makes a new key
/// there at once. What is acknowledged opens; what would not is refused, and may be sent again.
#[tokio::test]
async fn p19_a_write_under_a_key_forgotten_meanwhile_is_not_acknowledged() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved_for("US", Scene::alice()).await;
    let late = b"sealed before, recorded after";
    let stored = stream::once(async {
        scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
        assert!(!scene.has_key("alice", EU).await);
        scene.put("mail/alice/new", &body(17)).await;
        assert!(scene.has_key("alice", EU).await);
        std::io::Result::Ok(Bytes::from_static(late))
    });
    let refused = scene.try_put("mail/alice/late", stored.boxed()).await;
    assert!(matches!(refused, Err(VaultError::Busy)), "{refused:?}");
    scene.put("mail/alice/late", late).await;
    assert_eq!(scene.get("mail/alice/late").await, late);
    assert_eq!(scene.get("mail/alice/new").await, body(17));

    // Forgotten, and no new key there yet: the same, and not as though the account had been destroyed.
    let back = scene.vault.store();
    scene.delete("mail/alice/new").await;
    let stored = stream::once(async {
        scene.delete("mail/alice/late").await;
        back.forget_left_keys(transfer, &region(EU)).await.unwrap();
        std::io::Result::Ok(Bytes::from_static(late))
    });
    let refused = scene.try_put("mail/alice/later", stored.boxed()).await;
    assert!(matches!(refused, Err(VaultError::Busy)), "{refused:?}");
    scene.put("mail/alice/later", late).await;
    assert_eq!(scene.get("mail/alice/later").await, late);
}

/// A rotation read an object's key, and wraps it anew; meanwhile the object moved to another region, to under a key of the
/// same number there.
#[tokio::test]
async fn p19_a_rotation_does_not_touch_what_moved_meanwhile() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved("US").await;
    let (store, eu) = (scene.vault.store(), region(EU));
    let alice = scene.seq_of("alice").await;
    let read = store
        .object_keys_below(Table::Object, (alice, &eu), i64::MAX, None, 10)
        .await
        .unwrap();
    assert_eq!(read.len(), 2);
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    let to = Wrapped::from_bytes(&[9; 60]).unwrap();
    let moved = read.into_iter().map(|from| MovedObject { from, to: to.clone() });
    let count = store
        .move_object_keys(Table::Object, eu, 2, moved.collect())
        .await;
    assert_eq!(count.unwrap(), 0);
    scene.everything_reads(US).await;
}

#[tokio::test]
async fn p19_a_basis_that_ends_meanwhile_ends_the_move() {
    // The clock passes the last day between the copy and the gate.
    let scene = Scene::new(Arc::new(Once::new(Step::Rewrap, When::Before))).await;
    scene.clock.set("2031-12-27T23:00:00Z".parse().unwrap());
    let transfer = scene.approved("GB").await;
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    scene.clock.advance(SignedDuration::from_hours(2));
    let refused = scene.transfers.start(transfer, olga(), |_, _| ()).await;
    assert!(matches!(refused, Err(TransferError::NoBasis(_))), "{refused:?}");
    assert_eq!(scene.moved(transfer).await, Moved::default());
    scene.everything_reads(EU).await;
    let register = scene
        .transfers
        .register("2032-01-01".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(register[0].hanging, Hanging::No, "nothing lies there");
    assert_eq!(register[0].stage, Stage::Open, "it lapsed");
}

#[tokio::test]
async fn p19_completed_transfers_hang_on_their_basis() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved("GB").await;
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    let hanging = |on: &'static str| async {
        let register = scene.transfers.register(on.parse().unwrap()).await.unwrap();
        register
            .into_iter()
            .map(|entry| entry.hanging)
            .collect::<Vec<_>>()
    };
    assert_eq!(hanging("2031-12-27").await, [Hanging::No]);
    assert_eq!(hanging("2031-12-28").await, [Hanging::LyingThere]);
    scene.clock.set("2031-12-28T00:00:00Z".parse().unwrap());
    assert_eq!(scene.transfers.note_lapses().await.unwrap(), [transfer]);
}

#[tokio::test]
async fn p19_without_a_basis_nothing_is_proposed_and_without_approval_nothing_starts() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.opened("US", Scene::bucket(), &[]).await;
    let lifetime = SignedDuration::from_hours(24);
    let none = scene.transfers.propose(transfer, olga(), lifetime).await;
    assert!(matches!(none, Err(TransferError::NoBasis(_))), "{none:?}");
    let transfer = scene.opened("US", Scene::bucket(), &["us.dpf_certified"]).await;
    scene.state(transfer, "eu.adequacy.us.dpf").await;
    scene.transfers.propose(transfer, olga(), lifetime).await.unwrap();
    let early = scene.transfers.start(transfer, olga(), |_, _| ()).await;
    assert!(matches!(early, Err(TransferError::NotNow { .. })), "{early:?}");
    scene.everything_reads(EU).await;
}

#[tokio::test]
async fn p19_one_process_moves_a_transfer_at_a_time() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved("US").await;
    let (claims, other) = (&scene.transfers.parts.store, NodeId([7; 16]));
    assert!(claims.claim(transfer, other, Timestamp::now()).await.unwrap());
    let second = scene.transfers.start(transfer, olga(), |_, _| ()).await;
    assert!(matches!(second, Err(TransferError::Moving(_))), "{second:?}");
    claims.give_back(transfer, other).await.unwrap();
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    // Done, it has let go.
    assert!(claims.claim(transfer, other, Timestamp::now()).await.unwrap());
}

/// Claims run out, and whoever lost one may still be writing.
#[tokio::test]
async fn p19_a_mover_that_lost_its_claim_changes_nothing() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    let transfer = scene.approved("US").await;
    let store = scene.vault.store();
    let (row, number, old) = scene.first_piece().await;
    let plan = |attempt| async move {
        let parts = vec![(number, old, BlobId([attempt; 16]))];
        let mut planned = store.plan_copies(transfer, row, parts).await.unwrap();
        planned.remove(0)
    };
    let (late, next) = (plan(1).await, plan(2).await);
    assert_ne!(late.new, next.new, "each attempt writes to a blob of its own");
    assert!(!store.copied(transfer, row, &late).await.unwrap());
    assert!(store.copied(transfer, row, &next).await.unwrap());
    assert_eq!(plan(3).await.new, next.new, "what was copied keeps its copy");
    // Given up to be removed: it does not count any more.
    assert_eq!(store.superseded(transfer, 10).await.unwrap(), [(next.new, true)]);
    assert!(!store.copied(transfer, row, &next).await.unwrap());
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert!(!store.copied(transfer, row, &late).await.unwrap());
    scene.everything_reads(US).await;
    assert_eq!((scene.blobs(EU).len(), scene.blobs(US).len()), (0, 2));
}

/// The gate itself: it believes neither the mover nor the desk.
#[tokio::test]
async fn p19_the_gate_moves_no_key_without_the_records_own_docket_entry() {
    let scene = Scene::new(Arc::new(Once::new(Step::Copy, When::Before))).await;
    let transfer = scene.approved("US").await;
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    let wrapping = |issued, record| {
        let scene = &scene;
        async move {
            let chain = scene.transfers.recorded(transfer).await.unwrap();
            let (keys, to) = scene.keys().await;
            let record: Option<casework::transfer::TransferRecord> = record;
            let record = record.unwrap_or_else(|| chain.matter().drawn().unwrap().clone());
            Wrapping {
                chain: chain.events().to_vec(),
                record,
                issued,
                keys,
                to,
            }
        }
    };
    let own = scene.issued(transfer).await;
    let other = scene.docket.entry_of_something_else();
    let refusal = scene
        .gate
        .rewrap(wrapping(other, None).await)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refusal.breach, Breach::Invariant(2), "{refusal}");
    // Another region than the one approved.
    let chain = scene.transfers.recorded(transfer).await.unwrap();
    let mut altered = chain.matter().drawn().unwrap().clone();
    std::mem::swap(&mut altered.from, &mut altered.to);
    let refusal = scene
        .gate
        .rewrap(wrapping(own.clone(), Some(altered)).await)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(refusal.breach, Breach::Promise(Promise::P19), "{refusal}");
    // Its own: the keys come back wrapped, and open nothing where they were.
    let wrapped = scene
        .gate
        .rewrap(wrapping(own.clone(), None).await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(wrapped.len(), 1);
    // Stopped: the gate knows how far the transfer came, and will not see the shorter chain either.
    let before = scene.transfers.recorded(transfer).await.unwrap();
    let stop = TransferBody::Stopped {
        reason: "the customer asked".to_owned(),
    };
    scene.transfers.record(transfer, olga(), stop).await.unwrap();
    let mut shown = wrapping(own.clone(), Some(before.matter().drawn().unwrap().clone())).await;
    let refusal = scene.gate.rewrap(shown).await.unwrap().unwrap_err();
    assert_eq!(refusal.breach, Breach::Promise(Promise::P19), "{refusal}");
    shown = wrapping(own, Some(before.matter().drawn().unwrap().clone())).await;
    shown.chain = before.events().to_vec();
    let refusal = scene.gate.rewrap(shown).await.unwrap().unwrap_err();
    assert_eq!(refusal.breach, Breach::Promise(Promise::P14), "{refusal}");
    let _: Actor = olga();
}
