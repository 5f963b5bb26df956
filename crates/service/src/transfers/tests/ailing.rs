//! Transfers that do not come to their end by themselves are named, each with the way on.

use casework::{ids::AccountId, transfer::Mode};

use super::{scene::contoso, *};
use crate::transfers::{Ailing, Ailment};

async fn ailing(scene: &Scene) -> Vec<Ailing> {
    scene.transfers.ailing().await.unwrap().1
}

async fn only(scene: &Scene) -> (Ailment, String) {
    let mut found = ailing(scene).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let one = found.remove(0);
    let said = one.to_string();
    (one.ailment, said)
}

#[tokio::test]
async fn p19_a_move_that_was_cut_off_is_named_until_it_goes_on() {
    let scene = Scene::new(Arc::new(Once::new(Step::Relocate, When::After))).await;
    let transfer = scene.approved("US").await;
    assert_eq!(ailing(&scene).await, [], "one that was not started does not hang");
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    let (ailment, said) = only(&scene).await;
    assert!(
        matches!(ailment, Ailment::Idle { .. }) && !ailment.is_wrong(),
        "{ailment:?}"
    );
    assert!(
        said.contains(&format!("`amparo transfer start {transfer}`")),
        "{said}"
    );
    // While somebody moves it, nothing is wrong.
    let claims = &scene.transfers.parts.store;
    let mover = NodeId([7; 16]);
    assert!(claims.claim(transfer, mover, Timestamp::now()).await.unwrap());
    assert_eq!(ailing(&scene).await, []);
    claims.give_back(transfer, mover).await.unwrap();
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(ailing(&scene).await, []);
}

#[tokio::test]
async fn p19_a_record_that_expired_on_the_way_is_named() {
    let scene = Scene::new(Arc::new(Once::new(Step::Copy, When::Before))).await;
    let transfer = scene.approved("US").await;
    scene
        .transfers
        .start(transfer, olga(), |_, _| ())
        .await
        .unwrap_err();
    scene.clock.advance(SignedDuration::from_hours(24));
    let (ailment, said) = only(&scene).await;
    assert!(matches!(ailment, Ailment::Expired { .. }), "{ailment:?}");
    assert!(
        said.contains("4 objects left") && said.contains("transfer stop"),
        "{said}"
    );
}

#[tokio::test]
async fn p19_a_copy_without_a_basis_is_named_and_so_is_its_deletion_when_it_is_cut_off() {
    let scene = Scene::new(Arc::new(Once::new(Step::DropCopies, When::After))).await;
    let transfer = scene.approved_as(Mode::Copy, "GB", Scene::bucket()).await;
    scene.transfers.start(transfer, olga(), |_, _| ()).await.unwrap();
    assert_eq!(ailing(&scene).await, []);
    scene.clock.set("2031-12-28T00:00:00Z".parse().unwrap());
    let (ailment, said) = only(&scene).await;
    assert!(ailment.is_wrong(), "{ailment:?}");
    assert!(
        said.contains("copies of 4 objects lie in `us-east`") && said.contains("transfer withdraw"),
        "{said}"
    );
    let why = || "the decision ended".to_owned();
    scene
        .transfers
        .withdraw(transfer, olga(), why())
        .await
        .unwrap_err();
    let (ailment, said) = only(&scene).await;
    assert!(matches!(ailment, Ailment::HalfDeleted), "{ailment:?}");
    assert!(
        said.contains(&format!("`amparo transfer withdraw {transfer}`")),
        "{said}"
    );
    scene.transfers.withdraw(transfer, olga(), why()).await.unwrap();
    assert_eq!(ailing(&scene).await, []);
}

#[tokio::test]
async fn p19_keys_that_are_gone_are_named() {
    let scene = Scene::new(Arc::new(NoFaults)).await;
    scene.approved("US").await;
    let alice = AccountId::new("alice").unwrap();
    let store = scene.vault.store();
    store
        .destroy_account(&contoso(), &alice, Timestamp::now())
        .await
        .unwrap();
    let (ailment, said) = only(&scene).await;
    assert!(
        matches!(ailment, Ailment::NoAccountKeys { objects: 2, .. }),
        "{ailment:?}"
    );
    assert!(said.contains("nobody can read them"), "{said}");
}
