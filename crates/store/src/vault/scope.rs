//! What a release looks for: the objects of an account, by category and time. What its owner deleted and a snapshot keeps is
//! not among them: see [`VaultStore::preserved`].

use std::collections::VecDeque;

use casework::{
    demand::{Category, Window},
    ids::{AccountId, TenantId},
};
use futures::{Stream, stream};
use jiff::Timestamp;

use super::{
    ObjectRow, StoreError, VaultStore,
    object::{object_row, object_sql},
};

/// Rows read at once.
pub const SCOPE_PAGE: i64 = 500;

/// An object in scope.
#[derive(Debug, Clone)]
pub struct ScopedObject {
    /// The object, without its body.
    pub object: ObjectRow,
}

struct Cursor {
    store: VaultStore,
    tenant: TenantId,
    account: AccountId,
    categories: VecDeque<Category>,
    from: Timestamp,
    until: Option<Timestamp>,
    /// Time and row of the last object seen in the category at the front.
    last: Option<(i64, i64)>,
    page: VecDeque<ObjectRow>,
}

impl VaultStore {
    /// The objects of an account in these categories that concern the window, category by category and in order of time.
    /// `None` is all time. The cost is proportional to the answer: the index leads to it.
    ///
    /// A page of [`SCOPE_PAGE`] rows is read at a time, so that a slow reader holds nothing open. Objects stored while
    /// it runs may or may not be among them.
    pub fn scope(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        categories: &[Category],
        window: Option<Window>,
    ) -> impl Stream<Item = Result<ScopedObject, StoreError>> + Send + use<> {
        let cursor = Cursor {
            store: self.clone(),
            tenant: tenant.clone(),
            account: account.clone(),
            categories: categories.iter().copied().collect(),
            from: window.map_or(Timestamp::MIN, |w| w.from),
            until: window.map(|w| w.until),
            last: None,
            page: VecDeque::new(),
        };
        stream::try_unfold(cursor, |mut cursor| async move {
            let next = cursor.next().await?;
            Ok(next.map(|object| (ScopedObject { object }, cursor)))
        })
    }
}

impl Cursor {
    async fn next(&mut self) -> Result<Option<ObjectRow>, StoreError> {
        loop {
            if let Some(object) = self.page.pop_front() {
                return Ok(Some(object));
            }
            let Some(category) = self.categories.front().copied() else {
                return Ok(None);
            };
            self.fill(category).await?;
            if self.page.is_empty() {
                self.categories.pop_front();
                self.last = None;
            }
        }
    }

    async fn fill(&mut self, category: Category) -> Result<(), StoreError> {
        const SQL: &str = object_sql!(
            "NULL",
            "WHERE o.account = (SELECT seq FROM account WHERE tenant = $1 AND id = $2) AND o.category = $3 AND o.latest <> 2 \
             AND (o.concerns_at, o.seq) > ($4, $5) AND o.concerns_at < $6 \
             ORDER BY o.concerns_at, o.seq LIMIT $7"
        );
        // Times are kept to the microsecond, cut downwards. An instant within a microsecond bounds as its next whole one.
        let bound = |at: Timestamp| at.as_microsecond() + i64::from(at.as_nanosecond() % 1000 > 0);
        let (time, seq) = self.last.unwrap_or((bound(self.from), -1));
        let rows = sqlx::query(SQL)
            .bind(self.tenant.as_str())
            .bind(self.account.as_str())
            .bind(category.name())
            .bind(time)
            .bind(seq)
            .bind(self.until.map_or(i64::MAX, bound))
            .bind(SCOPE_PAGE)
            .fetch_all(&self.store.database.pool)
            .await?;
        for row in &rows {
            let object = object_row(row)?;
            self.last = Some((object.concerns_at.as_microsecond(), object.seq));
            self.page.push_back(object);
        }
        Ok(())
    }
}
