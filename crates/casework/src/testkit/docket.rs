//! A docket in memory, with its log key and two witnesses.

use std::{collections::BTreeMap, convert::Infallible};

use translog::{
    Checkpoint, Hash,
    cosignature::cosign,
    entry::{Committed, Opening, Salt},
    note::{KeyKind, SignerKey, format},
    policy::Policy,
    proof::Receipt,
    tile::TileId,
    tree::{Edge, Prover, TileReader},
};
use zeroize::Zeroizing;

#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl TileReader for Files {
    type Error = Infallible;
    fn read(&self, id: &TileId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(&id.to_string()).cloned())
    }
}

pub struct TestDocket {
    log: SignerKey,
    witnesses: Vec<SignerKey>,
    edge: Edge,
    files: Files,
    fill: u64,
}

impl TestDocket {
    /// A docket of `filler` entries. `flavour` makes the filler differ: two dockets of one key and different flavour
    /// are a fork.
    pub fn new(filler: u64, flavour: u8) -> Self {
        let key = |name: &str, kind, seed| {
            SignerKey::from_seed(name, kind, &Zeroizing::new([seed; 32])).expect("a usable key")
        };
        let mut docket = Self {
            log: key("docket.test", KeyKind::Log, 1),
            witnesses: vec![
                key("w1.test", KeyKind::Witness, 2),
                key("w2.test", KeyKind::Witness, 3),
            ],
            edge: Edge::empty(),
            files: Files::default(),
            fill: u64::from(flavour) << 56,
        };
        docket.grow(filler);
        docket
    }

    /// The docket's part of a trust policy: both witnesses.
    pub fn policy(&self) -> Policy {
        let witnesses: String = self
            .witnesses
            .iter()
            .enumerate()
            .map(|(at, key)| format!("witness w{at} {}\n", key.verifier()))
            .collect();
        let text = format!(
            "log {}\n{witnesses}group both all w0 w1\nquorum both\n",
            self.log.verifier()
        );
        Policy::parse(&text).expect("a policy")
    }

    /// Adds filler.
    pub fn grow(&mut self, entries: u64) {
        let filler: Vec<[u8; 32]> = (0..entries)
            .map(|_| {
                self.fill += 1;
                crate::ids::Digest::of(&[&self.fill.to_be_bytes()]).0
            })
            .collect();
        self.append(&filler);
    }

    fn append(&mut self, entries: &[[u8; 32]]) {
        let appended = self.edge.append(entries).expect("room");
        for file in appended.files {
            self.files.0.insert(file.id.to_string(), file.bytes);
        }
        self.edge = appended.edge;
    }

    /// Logs a value and returns its index.
    pub fn log<T: Committed>(&mut self, value: &T, salt: &Salt) -> u64 {
        let opening = Self::opening(value, salt);
        self.append(&[opening.commitment()]);
        self.edge.size() - 1
    }

    fn opening<T: Committed>(value: &T, salt: &Salt) -> Opening {
        Opening {
            kind: T::KIND.to_owned(),
            salt: salt.clone(),
            digest: value.digest().expect("canonical"),
        }
    }

    /// A receipt under the present checkpoint, cosigned at `time` (seconds since 1970) by the first `witnesses`.
    pub fn receipt<T: Committed>(
        &self,
        value: &T,
        salt: &Salt,
        index: u64,
        time: u64,
        witnesses: usize,
    ) -> Receipt {
        let path = Prover::new(&self.files, self.edge.size())
            .unwrap()
            .inclusion(index)
            .expect("in the tree");
        let text = self.checkpoint().to_string();
        let mut signatures = vec![self.log.sign_text(&text).expect("a log key")];
        signatures.extend(
            self.witnesses
                .iter()
                .take(witnesses)
                .filter_map(|key| cosign(key, &text, time)),
        );
        Receipt {
            extra: Some(Self::opening(value, salt).to_bytes()),
            index,
            path,
            checkpoint: format(&text, &signatures),
        }
    }

    /// The present checkpoint.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            origin: "docket.test".to_owned(),
            size: self.edge.size(),
            root: self.edge.root(),
        }
    }

    /// The proof that the docket of `old` entries is a beginning of the present one.
    pub fn consistency(&self, old: u64) -> Vec<Hash> {
        Prover::new(&self.files, self.edge.size())
            .unwrap()
            .consistency(old)
            .expect("a smaller size")
    }
}
