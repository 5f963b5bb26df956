//! Writing: entries one after the other, and a slot for each day that is over.

use std::collections::BTreeMap;

use casework::{
    ids::{Digest, TenantId},
    ledger::{Body, Entered, Entry, GENESIS, PLACES, Reason, SealedOpening, SlotContent, day_of},
};
use jiff::{Timestamp, civil::Date};
use sqlx::AnyConnection;

use super::{LedgerStoreError, SLOTS_MAX};

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

struct Chain {
    tenant: TenantId,
    length: u64,
    head: Digest,
    last_at: i64,
    next_day: i64,
}

/// Enters openings within the caller's transaction. Slots of days that are over come before them; a sealed one goes into
/// the slot of its own day, and touches nothing else until then.
pub(crate) async fn enter_in(
    tx: &mut AnyConnection,
    openings: &[Entered],
    now: Timestamp,
) -> Result<(), LedgerStoreError> {
    let mut chains: BTreeMap<&TenantId, Chain> = BTreeMap::new();
    let mut number = 0i64;
    for entered in openings {
        if let Some(case) = entered.sealed {
            let Reason::Release { record, .. } = entered.opening.reason else {
                return Err(LedgerStoreError::Corrupt("sealed opening"));
            };
            sqlx::query(
                "INSERT INTO ledger_sealed (record, number, tenant, case_id, at, opening, free) \
                 VALUES ($1, $2, $3, $4, $5, $6, 0)",
            )
            .bind(record.0.as_bytes().as_slice())
            .bind(number)
            .bind(entered.tenant.as_str())
            .bind(case.0.as_bytes().as_slice())
            .bind(now.as_microsecond())
            .bind(json(&entered.opening)?)
            .execute(&mut *tx)
            .await?;
            number += 1;
            continue;
        }
        if !chains.contains_key(&entered.tenant) {
            let mut chain = load(tx, &entered.tenant, now).await?;
            chain.close_days(tx, now).await?;
            chains.insert(&entered.tenant, chain);
        }
        if let Some(chain) = chains.get_mut(&entered.tenant) {
            let opening = entered.opening.clone();
            chain.append(tx, now, Body::Opening { opening }).await?;
        }
    }
    for chain in chains.values() {
        chain.save(tx).await?;
    }
    Ok(())
}

/// Begins a ledger that is not there, and writes the slots of days that are over.
pub(super) async fn keep_slots(
    tx: &mut AnyConnection,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<(), LedgerStoreError> {
    let mut chain = load(tx, tenant, now).await?;
    if chain.close_days(tx, now).await? {
        chain.save(tx).await?;
    }
    Ok(())
}

async fn load(tx: &mut AnyConnection, tenant: &TenantId, now: Timestamp) -> Result<Chain, LedgerStoreError> {
    let today = now.as_microsecond().div_euclid(DAY_MICROS);
    sqlx::query(
        "INSERT INTO ledger_chains (tenant, length, head, last_at, next_day) VALUES ($1, 0, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(GENESIS.0.as_slice())
    .bind(i64::MIN)
    .bind(today)
    .execute(&mut *tx)
    .await?;
    let (length, head, last_at, next_day): (i64, Vec<u8>, i64, i64) =
        sqlx::query_as("SELECT length, head, last_at, next_day FROM ledger_chains WHERE tenant = $1")
            .bind(tenant.as_str())
            .fetch_one(&mut *tx)
            .await?;
    Ok(Chain {
        tenant: tenant.clone(),
        length: u64::try_from(length).map_err(|_| LedgerStoreError::Corrupt("length"))?,
        head: Digest(head.try_into().map_err(|_| LedgerStoreError::Corrupt("head"))?),
        last_at,
        next_day,
    })
}

impl Chain {
    async fn append(
        &mut self,
        tx: &mut AnyConnection,
        at: Timestamp,
        body: Body,
    ) -> Result<(), LedgerStoreError> {
        // A clock that went back does not date an entry before the one before it.
        let micros = at.as_microsecond().max(self.last_at);
        let at = moment(micros)?;
        let entry = Entry::after((self.length, self.head), &self.tenant, at, random()?, body)?;
        sqlx::query("INSERT INTO ledger_entries (tenant, seq, entry) VALUES ($1, $2, $3)")
            .bind(self.tenant.as_str())
            .bind(integer(self.length)?)
            .bind(json(&entry)?)
            .execute(tx)
            .await?;
        self.head = entry.header.hash()?;
        self.length += 1;
        self.last_at = micros;
        Ok(())
    }

    /// Writes the slot of each day that is over. Says whether there was one.
    async fn close_days(&mut self, tx: &mut AnyConnection, now: Timestamp) -> Result<bool, LedgerStoreError> {
        let today = now.as_microsecond().div_euclid(DAY_MICROS);
        if today.saturating_sub(self.next_day) > SLOTS_MAX {
            return Err(LedgerStoreError::Clock(self.tenant.clone()));
        }
        let due = self.next_day < today;
        while self.next_day < today {
            self.close_day(tx).await?;
        }
        Ok(due)
    }

    async fn close_day(&mut self, tx: &mut AnyConnection) -> Result<(), LedgerStoreError> {
        let end = moment((self.next_day + 1) * DAY_MICROS)?;
        let day = day_of(moment(self.next_day * DAY_MICROS)?);
        let mut places = Vec::with_capacity(PLACES);
        for _ in 0..PLACES {
            places.push(random()?);
        }
        let sealed = self.sealed_until(tx, end).await?;
        if !sealed.is_empty() {
            self.seal(tx, day, sealed, &mut places).await?;
        }
        self.append(tx, end, Body::Slot { day, places }).await?;
        self.next_day += 1;
        Ok(())
    }

    /// What was sealed before `end` and is in no slot yet, case by case.
    async fn sealed_until(
        &self,
        tx: &mut AnyConnection,
        end: Timestamp,
    ) -> Result<Vec<Case>, LedgerStoreError> {
        let rows: Vec<(Vec<u8>, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT case_id, at, opening FROM ledger_sealed WHERE tenant = $1 AND seq IS NULL AND at < $2 \
             ORDER BY case_id, at, record, number",
        )
        .bind(self.tenant.as_str())
        .bind(end.as_microsecond())
        .fetch_all(tx)
        .await?;
        let mut cases: Vec<Case> = Vec::new();
        for (case, at, opening) in rows {
            let opening = SealedOpening {
                at: moment(at)?,
                opening: serde_json::from_slice(&opening)
                    .map_err(|_| LedgerStoreError::Corrupt("opening"))?,
            };
            match cases.last_mut() {
                Some((known, openings)) if *known == case => openings.push(opening),
                _ => cases.push((case, vec![opening])),
            }
        }
        Ok(cases)
    }

    /// Puts each case into a place of its own, drawn at random; those that find none share the last one drawn.
    async fn seal(
        &self,
        tx: &mut AnyConnection,
        day: Date,
        cases: Vec<Case>,
        places: &mut [Digest],
    ) -> Result<(), LedgerStoreError> {
        let mut free: Vec<usize> = (0..places.len()).collect();
        let mut filled: Vec<(usize, Vec<SealedOpening>)> = Vec::new();
        for (case, openings) in cases {
            if free.is_empty() {
                if let Some((place, shared)) = filled.last_mut() {
                    self.put(tx, &case, *place, openings.last()).await?;
                    shared.extend(openings);
                }
                continue;
            }
            let drawn = usize::from(random()?.0.first().copied().unwrap_or(0)) % free.len();
            let place = free.swap_remove(drawn);
            self.put(tx, &case, place, openings.last()).await?;
            filled.push((place, openings));
        }
        for (place, openings) in filled {
            let salt = random()?;
            let content = SlotContent {
                tenant: self.tenant.clone(),
                day,
                openings,
            };
            if let Some(slot) = places.get_mut(place) {
                *slot = content.commitment(&salt)?;
            }
            sqlx::query("INSERT INTO ledger_places (tenant, seq, place, salt) VALUES ($1, $2, $3, $4)")
                .bind(self.tenant.as_str())
                .bind(integer(self.length)?)
                .bind(i64::try_from(place).map_err(|_| LedgerStoreError::Corrupt("place"))?)
                .bind(salt.0.as_slice())
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    /// Notes in which place a case's openings are, up to the last of them.
    async fn put(
        &self,
        tx: &mut AnyConnection,
        case: &[u8],
        place: usize,
        last: Option<&SealedOpening>,
    ) -> Result<(), LedgerStoreError> {
        let until = last.map_or(i64::MIN, |last| last.at.as_microsecond());
        sqlx::query(
            "UPDATE ledger_sealed SET seq = $1, place = $2 \
             WHERE tenant = $3 AND case_id = $4 AND seq IS NULL AND at <= $5",
        )
        .bind(integer(self.length)?)
        .bind(i64::try_from(place).map_err(|_| LedgerStoreError::Corrupt("place"))?)
        .bind(self.tenant.as_str())
        .bind(case)
        .bind(until)
        .execute(tx)
        .await?;
        Ok(())
    }

    async fn save(&self, tx: &mut AnyConnection) -> Result<(), LedgerStoreError> {
        sqlx::query(
            "UPDATE ledger_chains SET length = $1, head = $2, last_at = $3, next_day = $4 WHERE tenant = $5",
        )
        .bind(integer(self.length)?)
        .bind(self.head.0.as_slice())
        .bind(self.last_at)
        .bind(self.next_day)
        .bind(self.tenant.as_str())
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// A case's id, and what was sealed for it.
type Case = (Vec<u8>, Vec<SealedOpening>);

fn moment(micros: i64) -> Result<Timestamp, LedgerStoreError> {
    Timestamp::from_microsecond(micros).map_err(|_| LedgerStoreError::Corrupt("time"))
}

fn random() -> Result<Digest, LedgerStoreError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| LedgerStoreError::NoRandomness)?;
    Ok(Digest(bytes))
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, LedgerStoreError> {
    Ok(casework::canonical::to_canonical_json(value)?)
}

fn integer(number: u64) -> Result<i64, LedgerStoreError> {
    i64::try_from(number).map_err(|_| LedgerStoreError::Corrupt("number"))
}
