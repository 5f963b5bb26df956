//! The tables as they came to be: the files under `migrations/`, in the program itself.

use sqlx::{
    SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

use super::Engine;

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// What brings the tables of `engine` up to date. Each file is known by its number and the digest of its text: one that was
/// changed after it ran is refused.
pub(super) fn migrator(engine: Engine) -> Migrator {
    let files = match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    };
    let migration = |&(number, subject, sql): &(i64, &'static str, &'static str)| {
        Migration::new(
            number,
            subject.into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        )
    };
    Migrator::with_migrations(files.iter().map(migration).collect())
}
