//! Wrapping, the owner's door, and the commitment to content.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may panic"
)]

use envelope::{
    content::{ContentDigest, Opening, verify_commitment},
    held::{Custody, Held, WrappedTenant},
    keys::{
        AccountKey, KeyError, Label, ObjectKey, Place, RegionRoot, TenantKey, Wrapped, WrappedAccount,
        WrappedChain,
    },
    opening::{NotOpened, OwnerAccount},
    opening_reason::OwnerRequest,
    rewrap,
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const OBJECT: [u8; 16] = [4; 16];

fn root() -> RegionRoot {
    RegionRoot::from_random([1; 32])
}

fn label() -> Label {
    Label {
        category: "content".into(),
        concerns_at: 1_000_000,
    }
}

fn tenant_key(root: &RegionRoot, account: &WrappedAccount) -> Result<TenantKey, KeyError> {
    let WrappedTenant::Root { wrapped, .. } = &account.tenant_key else {
        return Err(KeyError::Unwrap);
    };
    TenantKey::unwrap(root, account.place(), wrapped)
}

/// The owner's door: the account's key, then the object's.
fn unwrap_for_owner(
    root: &RegionRoot,
    request: &OwnerRequest,
    chain: &WrappedChain,
) -> Result<ObjectKey, NotOpened> {
    OwnerAccount::open(&tenant_key(root, &chain.account)?, request, &chain.account)?.unwrap(request, chain)
}

fn chain() -> WrappedChain {
    let place = Place {
        region: "eu-de",
        tenant: "contoso",
    };
    let tenant = TenantKey::from_random([2; 32]);
    let account = AccountKey::from_random([3; 32]);
    let object = ObjectKey::from_random([4; 32]);
    WrappedChain {
        account: WrappedAccount {
            region: "eu-de".into(),
            tenant: "contoso".into(),
            account: "alice".into(),
            tenant_key: tenant.wrap(&root(), place, [1; 12]).unwrap().into(),
            account_key: account.wrap(&tenant, place, "alice", [2; 12]).unwrap(),
        },
        object: OBJECT,
        label: label(),
        object_key: object
            .wrap(&account, place, "alice", &OBJECT, &label(), [3; 12])
            .unwrap(),
    }
}

fn owner(tenant: &str) -> OwnerRequest {
    OwnerRequest::new(tenant, "AKTEST", "request-1")
}

#[test]
fn the_owner_opens_its_object() {
    let key = unwrap_for_owner(&root(), &owner("contoso"), &chain()).unwrap();
    let expected = Opening::of(&ObjectKey::from_random([4; 32])).unwrap();
    assert_eq!(Opening::of(&key).unwrap().as_bytes(), expected.as_bytes());
}

#[test]
fn another_tenant_opens_nothing() {
    let refused = unwrap_for_owner(&root(), &owner("fabrikam"), &chain());
    assert!(matches!(refused, Err(NotOpened::OtherTenant)));
    // Nor by calling the chain its own.
    let mut stolen = chain();
    stolen.account.tenant = "fabrikam".into();
    let refused = unwrap_for_owner(&root(), &owner("fabrikam"), &stolen);
    assert!(matches!(refused, Err(NotOpened::Key(KeyError::Unwrap))));
}

#[test]
fn a_key_opens_only_in_its_place() {
    let above: [fn(&mut WrappedChain); 3] = [
        |c| c.account.region = "us-east".into(),
        |c| c.account.account = "bob".into(),
        |c| c.account.account_key = c.object_key.clone(),
    ];
    let own: [fn(&mut WrappedChain); 2] = [
        |c| c.object = [5; 16],
        |c| c.object_key = c.account.account_key.clone(),
    ];
    let refused = |change: fn(&mut WrappedChain)| {
        let mut moved = chain();
        change(&mut moved);
        unwrap_for_owner(&root(), &owner("contoso"), &moved).err()
    };
    for change in above {
        assert_eq!(refused(change), Some(NotOpened::Key(KeyError::Unwrap)));
    }
    for change in own {
        assert_eq!(refused(change), Some(NotOpened::Altered));
    }
    let other = RegionRoot::from_random([9; 32]);
    assert!(unwrap_for_owner(&other, &owner("contoso"), &chain()).is_err());
}

/// P13: category and date decide which demand may reach an object, so a changed one must not open.
#[test]
fn p13_a_key_opens_only_for_the_category_and_date_it_was_wrapped_for() {
    let changes: [fn(&mut Label); 5] = [
        |l| l.category = "subscriber".into(),
        |l| l.category = String::new(),
        |l| l.concerns_at += 1,
        |l| l.concerns_at = -l.concerns_at,
        |l| l.category.push('\0'),
    ];
    for change in changes {
        let mut altered = chain();
        change(&mut altered.label);
        let refused = unwrap_for_owner(&root(), &owner("contoso"), &altered);
        assert!(matches!(refused, Err(NotOpened::Altered)), "{:?}", altered.label);
    }
}

#[test]
fn an_open_account_serves_its_own_chain_alone() {
    let tenant = tenant_key(&root(), &chain().account).unwrap();
    let account = OwnerAccount::open(&tenant, &owner("contoso"), &chain().account).unwrap();
    assert!(account.unwrap(&owner("contoso"), &chain()).is_ok());
    assert!(matches!(
        account.unwrap(&owner("fabrikam"), &chain()),
        Err(NotOpened::OtherTenant)
    ));
    let mut other = chain();
    other.account.account = "bob".into();
    assert!(account.unwrap(&owner("contoso"), &other).is_err());
}

#[test]
fn any_flipped_bit_of_a_wrapped_key_fails() {
    let whole = chain();
    for at in 0..60 {
        let mut bytes = whole.object_key.as_bytes().to_vec();
        bytes[at] ^= 1;
        let mut changed = whole.clone();
        changed.object_key = Wrapped::from_bytes(&bytes).unwrap();
        assert!(unwrap_for_owner(&root(), &owner("contoso"), &changed).is_err());
    }
    assert_eq!(Wrapped::from_bytes(&[0; 59]), Err(KeyError::Length));
}

#[test]
fn a_wrapped_chain_survives_json() {
    let json = serde_json::to_string(&chain()).unwrap();
    assert_eq!(serde_json::from_str::<WrappedChain>(&json).unwrap(), chain());
    let mut held = chain();
    held.account.tenant_key = WrappedTenant::Held(Held::new("contoso-keys", 1, vec![7; 90]).unwrap());
    let json = serde_json::to_string(&held).unwrap();
    assert_eq!(serde_json::from_str::<WrappedChain>(&json).unwrap(), held);
}

#[test]
fn a_tenants_key_reads_back_in_both_forms_and_in_no_other() {
    let own = chain().account.tenant_key;
    let WrappedTenant::Root { wrapped, change: 0 } = own.clone() else {
        panic!("nobody ever held it")
    };
    let freed = WrappedTenant::Root { wrapped, change: 7 };
    let [uncounted, held] =
        [0, 7].map(|change| WrappedTenant::Held(Held::new("contoso-keys", change, vec![7; 90]).unwrap()));
    for key in [&own, &freed, &uncounted, &held] {
        assert_eq!(&WrappedTenant::from_bytes(&key.to_bytes()).unwrap(), key);
    }
    assert_ne!(own.digest(), held.digest());
    for bad in [
        &[][..],
        &[1],
        &[1; 60],
        &[1; 62],
        &[2],
        &[2, 3, b'a', b'b'],
        &[2, 2, b'a', b'b'],
        &[2, 0, 9],
        &[2, 1, 0xff, 9],
        &[3; 61],
        &[3; 70],
        &[3, 0, 0, 0, 0, 0, 0, 0, 0],
        &[4, 0, 0, 0, 0, 0, 0, 0, 0, 1, b'a', 9],
        &[4, 0, 0, 0, 0, 0, 0, 0, 1, 2, b'a', b'b'],
        &[5; 69],
    ] {
        assert_eq!(WrappedTenant::from_bytes(bad), Err(KeyError::Length), "{bad:?}");
    }
    assert!(Held::new("a".repeat(65), 0, vec![1]).is_err());
    assert!(Held::new("a", 0, vec![1; 4097]).is_err());
}

/// The same key under the same root: each wrap opens for its own change of holder and its own holder alone.
#[test]
fn a_tenants_wrap_is_bound_to_who_holds_it_and_since_when() {
    let (root, key) = (root(), TenantKey::from_random([2; 32]));
    let place = Place {
        region: "eu-de",
        tenant: "contoso",
    };
    let custody = |change, holder: Option<&str>| Custody {
        change,
        holder: holder.map(str::to_owned),
    };
    let all = [
        custody(0, None),
        custody(1, Some("one")),
        custody(1, Some("two")),
        custody(2, Some("one")),
        custody(2, None),
    ];
    for (made, nonce) in all.iter().zip(1..) {
        let wrapped = key.wrap_for(&root, place, made, [nonce; 12]).unwrap();
        for shown in &all {
            let opened = TenantKey::unwrap_for(&root, place, shown, &wrapped);
            assert_eq!(opened.is_ok(), shown == made, "{made:?} shown as {shown:?}");
        }
    }
    // What may be met after what: later ones, and the same; of what was not counted, held after not held.
    for (known, row, may) in [
        (custody(0, None), custody(0, None), true),
        (custody(0, None), custody(0, Some("one")), true),
        (custody(0, Some("one")), custody(0, None), false),
        (custody(0, Some("one")), custody(0, Some("two")), true),
        (custody(1, Some("one")), custody(0, Some("one")), false),
        (custody(1, Some("one")), custody(0, None), false),
        (custody(1, Some("one")), custody(1, Some("two")), false),
        (custody(1, Some("one")), custody(1, None), false),
        (custody(1, Some("one")), custody(2, None), true),
        (custody(2, None), custody(1, Some("one")), false),
    ] {
        assert_eq!(row.may_follow(&known), may, "{row:?} after {known:?}");
    }
}

/// Rotation: the same object key under another account key, under another tenant key.
#[test]
fn a_rewrapped_key_opens_to_the_same_and_only_from_what_it_was() {
    let before = chain();
    let place = before.account.place();
    let (old_tenant, new_tenant) = (TenantKey::from_random([2; 32]), TenantKey::from_random([12; 32]));
    let moved = rewrap::account_key(
        &old_tenant,
        &new_tenant,
        place,
        "alice",
        &before.account.account_key,
        [4; 12],
    )
    .unwrap();
    let mut after = before.clone();
    after.account.tenant_key = new_tenant.wrap(&root(), place, [5; 12]).unwrap().into();
    after.account.account_key = moved;
    let same = |chain: &WrappedChain| {
        let key = unwrap_for_owner(&root(), &owner("contoso"), chain).unwrap();
        Opening::of(&key).unwrap().as_bytes()
            == Opening::of(&ObjectKey::from_random([4; 32])).unwrap().as_bytes()
    };
    assert!(same(&after));

    let mut newest = after.clone();
    let new_account = AccountKey::from_random([13; 32]);
    newest.account.account_key = new_account.wrap(&new_tenant, place, "alice", [6; 12]).unwrap();
    let accounts =
        rewrap::Accounts::open((&new_tenant, &new_tenant), &after.account, &newest.account).unwrap();
    newest.object_key = accounts
        .object_key(&OBJECT, &label(), &before.object_key, [7; 12])
        .unwrap();
    assert!(same(&newest));

    // Nothing moves from where it is not, nor to another account, nor under another label.
    let mut other = label();
    other.category = "subscriber".into();
    assert!(
        accounts
            .object_key(&OBJECT, &other, &before.object_key, [7; 12])
            .is_err()
    );
    assert!(
        accounts
            .object_key(&[5; 16], &label(), &before.object_key, [7; 12])
            .is_err()
    );
    assert!(
        accounts
            .object_key(&OBJECT, &label(), &newest.object_key, [7; 12])
            .is_err()
    );
    let mut bob = newest.account.clone();
    bob.account = "bob".into();
    assert!(rewrap::Accounts::open((&new_tenant, &new_tenant), &after.account, &bob).is_err());
    let wrong = rewrap::account_key(
        &new_tenant,
        &old_tenant,
        place,
        "alice",
        &before.account.account_key,
        [4; 12],
    );
    assert_eq!(wrong, Err(KeyError::Unwrap));
}

#[test]
fn the_commitment_is_the_documented_one() {
    let part: [u8; 32] = Sha256::digest(b"hello").into();
    let mut digest = ContentDigest::default();
    digest.part(5, &part);
    let digest = digest.finish();
    let mut by_hand = Sha256::new();
    by_hand.update(b"amparo/content/v1\n");
    by_hand.update([0, 0, 0, 0, 0, 0, 0, 5]);
    by_hand.update(part);
    assert_eq!(digest, <[u8; 32]>::from(by_hand.finalize()));

    let opening = Opening::of(&ObjectKey::from_random([4; 32])).unwrap();
    // One block of HKDF-Expand-SHA512, cut to 32 bytes.
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(&[4; 32]).unwrap();
    mac.update(b"amparo/opening/v1\x01");
    assert_eq!(opening.as_bytes()[..], mac.finalize().into_bytes()[..32]);
    let mut mac = Hmac::<Sha256>::new_from_slice(opening.as_bytes()).unwrap();
    mac.update(&digest);
    let commitment = opening.commit(&digest);
    assert_eq!(commitment[..], mac.finalize().into_bytes()[..]);

    assert!(verify_commitment(&opening, &digest, &commitment).is_ok());
    let mut other = commitment;
    other[31] ^= 1;
    assert!(verify_commitment(&opening, &digest, &other).is_err());
    assert!(verify_commitment(&Opening::from_bytes([0; 32]), &digest, &commitment).is_err());
}
