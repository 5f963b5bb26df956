//! What goes between the two gates, and what they refuse.

use super::*;

#[tokio::test]
async fn p19_gates_that_do_not_know_each_other_hand_nothing_over() {
    for (of_here, of_there, why) in [
        (
            public(99),
            public(22),
            "were not handed over by the gate of region `eu-de`",
        ),
        (
            public(21),
            public(99),
            "not of the gate of region `us-east` that is trusted here",
        ),
    ] {
        let two = Two::trusting(Arc::new(NoFaults), of_here, of_there).await;
        let transfer = two.approved(Scene::alice()).await;
        let said = two.start(transfer).await.unwrap_err();
        assert!(matches!(said, TransferError::Refused(_)), "{said}");
        assert!(said.to_string().contains(why), "{said}");
        two.all_is_here().await;
        // Nothing stays frozen.
        two.here.put("mail/alice/9", &body(9)).await;
    }
}

/// Whoever carries keys between the gates cannot use, change, repeat or exchange them.
#[tokio::test]
async fn p19_keys_on_their_way_open_for_the_other_gate_alone() {
    let two = Two::new(Arc::new(Once::new(Step::HandOver, When::Before))).await;
    let transfer = two.approved(Scene::alice()).await;
    two.start(transfer).await.unwrap_err();
    let (here, there) = (&two.here.gate.gate, &two.there.gate.gate);
    let chain = two.here.transfers.recorded(transfer).await.unwrap();
    let record = chain.matter().drawn().unwrap().clone();
    let issued = two.here.issued(transfer).await;
    let request = |gate: Arc<EmbeddedGate>, keys: Vec<envelope::keys::WrappedChain>| {
        let (docket, issued) = (Arc::clone(&two.here.docket), issued.clone());
        let (chain, record) = (chain.events().to_vec(), record.clone());
        async move {
            crate::gate::TransferRequest {
                chain,
                record,
                salt: issued.salt,
                receipt: issued.receipt,
                consistency: docket.consistency_with(&gate).await,
                keys,
                to: Vec::new(),
            }
        }
    };
    let store = two.here.vault.store();
    let rows = two
        .here
        .vault
        .leaving(&contoso(), &Scene::alice(), &region(EU))
        .await
        .unwrap()
        .1;
    let mut keys = Vec::new();
    let mut metadata = Vec::new();
    for row in rows.iter().filter(|row| row.account.is_some()) {
        let (it, chain) = store.traveller(row.seq).await.unwrap().unwrap();
        keys.push(chain.unwrap());
        use base64::Engine as _;
        metadata.push(base64::engine::general_purpose::STANDARD.encode(it.sealed_metadata.0));
    }
    let to = two
        .there
        .vault
        .account_here(&contoso(), &account("alice"), &region(US))
        .await
        .unwrap()
        .1;
    let batch = || async {
        let offer = there
            .offer(request(Arc::clone(there), Vec::new()).await)
            .await
            .unwrap();
        here.hand_over(request(Arc::clone(here), keys.clone()).await, offer)
            .await
            .unwrap()
    };
    let take = |batch, metadata: Vec<String>| {
        let request = crate::gate::TakingOver {
            batch,
            to: vec![to.clone()],
            metadata,
        };
        there.take_over(request)
    };
    // As it should be, once.
    let good = batch().await;
    let wrapped = take(good.clone(), metadata.clone()).await.unwrap();
    assert_eq!(wrapped.len(), keys.len());
    assert!(take(good.clone(), metadata.clone()).await.is_err(), "used up");
    // An offer of its own is not one of the other gate's.
    let own = two
        .there
        .gate
        .gate
        .offer(request(Arc::clone(there), Vec::new()).await)
        .await
        .unwrap();
    let mut forged = own.clone();
    forged.until = forged.until.checked_add(SignedDuration::from_secs(1)).unwrap();
    let said = here
        .hand_over(request(Arc::clone(here), keys.clone()).await, forged)
        .await;
    assert!(said.is_err());
    // Altered on the way, in whatever it says.
    let json = serde_json::to_value(batch().await).unwrap();
    for field in ["offer", "record", "share", "holder", "signature"] {
        let mut altered = serde_json::to_value(batch().await).unwrap();
        altered[field] = match field {
            "holder" => "somebody".into(),
            _ => json[field].clone(),
        };
        if altered[field] == serde_json::to_value(batch().await).unwrap()[field] {
            continue; // The record is the same in each.
        }
        let altered = serde_json::from_value(altered).unwrap();
        assert!(take(altered, metadata.clone()).await.is_err(), "{field}");
    }
    for alter in [
        |keys: &mut Vec<serde_json::Value>| keys.swap(0, 1),
        |keys: &mut Vec<serde_json::Value>| {
            let other = keys[1]["sealed"].clone();
            keys[0]["sealed"] = other;
        },
        |keys: &mut Vec<serde_json::Value>| keys[0]["label"]["category"] = "subscriber".into(),
        |keys: &mut Vec<serde_json::Value>| keys[0]["label"]["concerns_at"] = 5.into(),
    ] {
        let mut altered = serde_json::to_value(batch().await).unwrap();
        alter(altered["keys"].as_array_mut().unwrap());
        let altered = serde_json::from_value(altered).unwrap();
        assert!(take(altered, metadata.clone()).await.is_err());
    }
    // A key that is not its object's.
    let mut others = metadata.clone();
    others.swap(0, 1);
    assert!(take(batch().await, others).await.is_err());
    // Sealed to an offer that lapsed.
    let late = batch().await;
    two.there.clock.advance(SignedDuration::from_mins(11));
    assert!(take(late, metadata.clone()).await.is_err());
}

/// Who holds the customer's keys is asked by both gates, with the transfer named, and may say no to either.
#[tokio::test]
async fn p19_whoever_holds_the_keys_is_asked_on_both_nodes() {
    use std::sync::atomic::Ordering;
    let gates = (public(21), public(22));
    let two = Two::made(Arc::new(NoFaults), gates, (true, true)).await;
    let transfer = two.approved(Scene::alice()).await;
    for scene in [&two.here, &two.there] {
        scene.holder.denies.store(true, Ordering::Relaxed);
        let said = two.start(transfer).await.unwrap_err();
        assert!(said.to_string().contains("not to there"), "{said}");
        two.all_is_here().await;
        scene.holder.denies.store(false, Ordering::Relaxed);
    }
    two.start(transfer).await.unwrap();
    two.alice_is_there().await;
    assert_eq!(two.here.holder.asked_for(transfer), [EU]);
    assert_eq!(two.there.holder.asked_for(transfer), [US]);
    let keys = two.there.key_of(&account("alice")).await;
    assert_eq!(
        keys.account.tenant_key.holder(),
        Some(two.there.holder.id.as_str())
    );

    // Nothing goes from under such a key to under one that the provider opens alone.
    let two = Two::made(Arc::new(NoFaults), gates, (true, false)).await;
    let transfer = two.approved(Scene::alice()).await;
    let said = two.start(transfer).await.unwrap_err();
    assert!(
        said.to_string().contains("held by another there, or by nobody"),
        "{said}"
    );
    two.all_is_here().await;
}
