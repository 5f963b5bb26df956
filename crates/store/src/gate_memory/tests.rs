use super::*;

async fn memory(path: &std::path::Path) -> GateMemory {
    GateMemory::new(crate::testkit::database(path).await)
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: "docket.test".to_owned(),
        size,
        root: Hash([size.to_be_bytes()[7]; 32]),
    }
}

fn decision(record: u128, case: u128, length: u64) -> Remember {
    Remember {
        record: RecordId(uuid::Uuid::from_u128(record)),
        digest: Digest::of(&[&record.to_be_bytes()]),
        case: CaseId(uuid::Uuid::from_u128(case)),
        seen: (length, Digest::of(&[&length.to_be_bytes()])),
        checkpoint: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        ledger: Vec::new(),
    }
}

#[tokio::test]
async fn invariant_02_a_used_record_is_used_after_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.sqlite");
    let first = decision(1, 7, 12);
    {
        let memory = memory(&path).await;
        assert_eq!(
            memory.recall(first.record, first.case).await.unwrap(),
            Memory::default()
        );
        memory.remember(&first).await.unwrap();
        memory.database.close().await;
    }
    let memory = memory(&path).await;
    let recalled = memory.recall(first.record, first.case).await.unwrap();
    assert!(recalled.used);
    assert_eq!(recalled.seen, Some(first.seen));
    assert!(matches!(memory.remember(&first).await, Err(MemoryError::Used(_))));
    // The same record under another id is the same record.
    let renamed = Remember {
        record: RecordId(uuid::Uuid::from_u128(2)),
        ..first
    };
    assert!(matches!(
        memory.remember(&renamed).await,
        Err(MemoryError::Used(_))
    ));
    for change in [
        "UPDATE gate_used_records SET used_at = 1",
        "DELETE FROM gate_used_records",
    ] {
        assert!(sqlx::query(change).execute(&memory.database.pool).await.is_err());
    }
}

#[tokio::test]
async fn invariant_03_a_remembered_checkpoint_is_swapped_or_nothing_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&dir.path().join("gate.sqlite")).await;
    let with = |record, new: u64, old: Option<u64>| Remember {
        checkpoint: Some((checkpoint(new), old.map(checkpoint))),
        ..decision(record, record, 5)
    };
    memory.remember(&with(1, 10, None)).await.unwrap();
    memory.remember(&with(2, 20, Some(10))).await.unwrap();
    // Decided against a checkpoint that is no longer the one remembered.
    for stale in [with(3, 15, Some(10)), with(3, 30, None)] {
        assert!(matches!(memory.remember(&stale).await, Err(MemoryError::Moved)));
        assert!(
            !memory.recall(stale.record, stale.case).await.unwrap().used,
            "all or nothing"
        );
    }
    let recalled = memory
        .recall(RecordId(uuid::Uuid::nil()), CaseId(uuid::Uuid::nil()))
        .await
        .unwrap();
    assert_eq!(recalled.checkpoints.get("docket.test"), Some(&checkpoint(20)));
    assert!(
        sqlx::query("UPDATE gate_checkpoints SET size = 1")
            .execute(&memory.database.pool)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_case_once_seen_is_never_shorter() {
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&dir.path().join("gate.db")).await;
    let case = CaseId(uuid::Uuid::from_u128(7));
    let nobody = RecordId(uuid::Uuid::nil());
    assert_eq!(memory.recall(nobody, case).await.unwrap().seen, None);
    let known = async || memory.recall(nobody, case).await.unwrap().seen;
    let five = headers(case, &[0, 1, 2, 3, 4]);
    memory.observe(case, &five).await.unwrap();
    let head = five[4].hash().unwrap();
    assert_eq!(known().await, Some((5, head)));
    memory.observe(case, &five[..3]).await.unwrap();
    memory
        .observe(case, &headers(case, &[9, 9, 9, 9, 9]))
        .await
        .unwrap();
    assert_eq!(known().await, Some((5, head)));

    // Longer, and not from there: another beginning, a gap, another case.
    let other = headers(case, &[0, 1, 2, 3, 9, 5]);
    let whole = headers(case, &[0, 1, 2, 3, 4, 5, 6]);
    let elsewhere = headers(CaseId(uuid::Uuid::from_u128(8)), &[0, 1, 2, 3, 4, 5]);
    for wrong in [&other[..], &other[5..], &whole[6..], &elsewhere[..]] {
        let refused = memory.observe(case, wrong).await;
        assert!(matches!(refused, Err(MemoryError::Elsewhere(_))), "{refused:?}");
    }
    assert_eq!(known().await, Some((5, head)));
    memory.observe(case, &whole[5..6]).await.unwrap();
    assert_eq!(known().await, Some((6, whole[5].hash().unwrap())));
    memory.observe(case, &whole).await.unwrap();
    assert_eq!(known().await, Some((7, whole[6].hash().unwrap())));
}

#[tokio::test]
async fn each_batch_of_a_transfer_is_remembered_with_its_checkpoint_and_where_its_keys_went() {
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&dir.path().join("gate.db")).await;
    let case = CaseId(uuid::Uuid::from_u128(7));
    let account = |name: &str, region: &str| AccountRef {
        tenant: "contoso".parse().unwrap(),
        account: name.parse().unwrap(),
        region: region.parse().unwrap(),
    };
    let events = headers(case, &[0, 1, 2, 3]);
    let batch = |second: i64, new: u64, old: Option<u64>| Remember {
        checkpoint: Some((checkpoint(new), old.map(checkpoint))),
        at: Timestamp::from_second(second).unwrap(),
        seen: (3, events[2].hash().unwrap()),
        ..decision(1, 7, 3)
    };
    let alice = [account("alice", "us-east")];
    memory
        .remember_batch(&batch(100, 10, None), &events[..3], &alice)
        .await
        .unwrap();
    memory
        .remember_batch(&batch(200, 20, Some(10)), &events, &alice)
        .await
        .unwrap();
    let recalled = memory
        .recall(RecordId(uuid::Uuid::from_u128(1)), case)
        .await
        .unwrap();
    assert!(recalled.used);
    assert_eq!(recalled.checkpoints.get("docket.test"), Some(&checkpoint(20)));
    assert_eq!(recalled.seen.map(|(length, _)| length), Some(4));
    // Decided against an older checkpoint: nothing of it stays.
    let bob = [account("bob", "us-east")];
    let stale = memory
        .remember_batch(&batch(300, 30, Some(10)), &events, &bob)
        .await;
    assert!(matches!(stale, Err(MemoryError::Moved)), "{stale:?}");
    let moved = memory
        .moved(&[account("alice", "eu-de"), bob[0].clone()])
        .await
        .unwrap();
    let at = Timestamp::from_second(200).unwrap();
    assert_eq!(
        moved,
        [Moved {
            to: alice[0].clone(),
            at
        }]
    );
}

/// Headers that link, over bodies of these numbers.
fn headers(case: CaseId, bodies: &[u8]) -> Vec<Header> {
    let mut prev = chain::GENESIS;
    let mut headers = Vec::new();
    for (seq, body) in (0..).zip(bodies) {
        let header = Header {
            seq,
            prev,
            body: Digest([*body; 32]),
            case,
            at: Timestamp::UNIX_EPOCH,
            actor: casework::event::Actor::System,
            disclosed: false,
        };
        prev = header.hash().unwrap();
        headers.push(header);
    }
    headers
}

#[tokio::test]
async fn policies_in_force_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&dir.path().join("gate.db")).await;
    let now = Timestamp::UNIX_EPOCH;
    let mut seen = Vec::new();
    for digest in [1, 1, 2, 1, 2] {
        seen.push(memory.policy(Digest([digest; 32]), now).await.unwrap());
    }
    use PolicySeen::{First, InForce, New};
    assert_eq!(
        seen,
        [
            First,
            InForce,
            New { before: 1 },
            New { before: 2 },
            New { before: 3 }
        ]
    );
}

/// A change stays owed to the docket however often the gate starts, until somebody confirms that one.
#[tokio::test]
async fn a_change_of_policy_is_owed_until_it_is_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gate.db");
    let now = Timestamp::UNIX_EPOCH;
    let digests = [1, 2, 3].map(|byte| Digest([byte; 32]));
    let numbers = |owed: Vec<OwedPolicy>| owed.iter().map(|one| one.number).collect::<Vec<_>>();
    {
        let memory = memory(&path).await;
        assert_eq!(memory.policy(digests[0], now).await.unwrap(), PolicySeen::First);
        assert!(memory.owed_policies().await.unwrap().is_empty());
        memory.policy(digests[1], now).await.unwrap();
        memory.database.close().await;
    }
    let memory = memory(&path).await;
    let seen = memory.policy(digests[1], now).await.unwrap();
    assert_eq!(seen, PolicySeen::New { before: 1 }, "nobody confirmed it");
    memory.policy(digests[2], now).await.unwrap();
    let owed = memory.owed_policies().await.unwrap();
    assert_eq!((owed[0].number, owed[0].digest), (2, digests[1]));
    assert_eq!(numbers(owed), [2, 3]);
    for _ in 0..2 {
        memory.policy_logged(2).await.unwrap();
        assert_eq!(numbers(memory.owed_policies().await.unwrap()), [3]);
    }
    memory.policy_logged(3).await.unwrap();
    assert!(memory.owed_policies().await.unwrap().is_empty());
    assert_eq!(memory.policy(digests[2], now).await.unwrap(), PolicySeen::InForce);
}

#[tokio::test]
async fn a_holder_once_seen_is_not_forgotten_for_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let memory = memory(&dir.path().join("gate.db")).await;
    let custody = |change, holder: Option<&str>| Custody {
        change,
        holder: holder.map(str::to_owned),
    };
    let known = async || memory.custody("eu-de", "contoso").await.unwrap();
    let seen = async |custody: &Custody| {
        memory
            .seen_custody("eu-de", "contoso", custody, Timestamp::UNIX_EPOCH)
            .await
    };
    assert_eq!(known().await, None);
    // What nobody ever held needs no remembering.
    seen(&custody(0, None)).await.unwrap();
    assert_eq!(known().await, None);
    seen(&custody(1, Some("one"))).await.unwrap();
    for older in [
        custody(0, None),
        custody(0, Some("one")),
        custody(1, Some("two")),
        custody(1, None),
    ] {
        let refused = seen(&older).await;
        assert!(matches!(&refused, Err(MemoryError::Older(known)) if *known == custody(1, Some("one"))));
    }
    seen(&custody(2, None)).await.unwrap();
    assert!(seen(&custody(1, Some("one"))).await.is_err());
    assert_eq!(known().await, Some(custody(2, None)));
    // Another region, another tenant: nothing is known of them.
    assert_eq!(memory.custody("us-east", "contoso").await.unwrap(), None);
    assert_eq!(memory.custody("eu-de", "fabrikam").await.unwrap(), None);
    let back = sqlx::query("UPDATE gate_holders SET change = 1")
        .execute(&memory.database.pool)
        .await;
    assert!(back.is_err());
}
