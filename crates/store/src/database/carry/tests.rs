use super::*;
use crate::testkit::Server;

/// Rows with what is hard to carry: nulls, zero bytes, quotes, numbers at the ends, text that sorts otherwise by language.
const ROWS: &str = "
INSERT INTO region (id, country) VALUES ('eu-de', 'DE'), ('US-east', 'US'), ('\u{e9}', 'FR'), ('z', 'FR');
INSERT INTO tenant (id, kind, country, created_at, holder) VALUES ('o''brien \"co\"', 'consumer', 'DE', -9223372036854775808, NULL),
  ('b', 'consumer', 'DE', 9223372036854775807, '');
INSERT INTO tenant_key (tenant, region, version, wrapped) VALUES ('b', 'z', 2, x'00ff00'), ('b', 'z', 1, x'');
INSERT INTO account (seq, tenant, id, created_at) VALUES (7, 'b', 'a', 1), (9, 'b', 'gone', 1);
DELETE FROM account WHERE seq = 9;
INSERT INTO alias (alias, account) VALUES ('B', 7), ('a', 7), ('\u{e4}', 7), ('_', 7);
INSERT INTO docket_checkpoint (size, signed) VALUES (4, 'four'), (8, 'eight'), (12, 'twelve');
INSERT INTO blob_hold (name, until) VALUES ('a backup', 1);
";

async fn run(database: &Database, sql: &str) {
    let mut db = database.connect().await.unwrap();
    database.run_on(&mut db, sql).await.unwrap();
}

async fn digests(database: &Database, tables: &[Table]) -> Vec<[u8; 32]> {
    let mut reading = Writing::begin(database).await.unwrap();
    let mut found = Vec::new();
    for table in tables {
        found.push(reading.digest(table).await.unwrap());
    }
    found
}

async fn file(dir: &tempfile::TempDir, name: &str) -> Database {
    Database::open(&dir.path().join(name)).await.unwrap()
}

#[tokio::test]
async fn rows_go_from_a_file_to_a_server_and_back_and_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let first = file(&dir, "first.db").await;
    run(&first, ROWS).await;
    let many: Vec<_> = (0..1000).map(|number| format!("('{number}', 7)")).collect();
    run(
        &first,
        &format!("INSERT INTO alias (alias, account) VALUES {}", many.join(",")),
    )
    .await;
    let tables = tables(&first).await.unwrap();

    let server = Server::start();
    let location = server.location("there");
    Database::vacant(&location).await.unwrap();
    let there = Database::open(location.clone()).await.unwrap();
    // Brought up to date, and still without rows.
    Database::vacant(&location).await.unwrap();
    assert_eq!(there.fill(&first).await.unwrap(), 4 + 2 + 2 + 1 + 1004 + 3);
    assert_eq!(digests(&there, &tables).await, digests(&first, &tables).await);

    // Holds are of a moment; numbers go on after those that were given, gone or not.
    let held: Vec<String> = sqlx::query_scalar("SELECT name FROM blob_hold")
        .fetch_all(&there.pool)
        .await
        .unwrap();
    assert_eq!(held, [""; 0]);
    let next: i64 = sqlx::query_scalar(
        "INSERT INTO account (tenant, id, created_at) VALUES ('b', 'new', 1) RETURNING seq",
    )
    .fetch_one(&there.pool)
    .await
    .unwrap();
    assert_eq!(next, 10);

    // Filled once is filled: nothing is added, and the check before says so too.
    let again = there.fill(&first).await.unwrap_err();
    assert!(matches!(again, CarryError::Filled(_)), "{again}");
    let refused = Database::vacant(&location).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Filled { .. }), "{refused}");

    // A snapshot of the server is a file with the same rows.
    let copied = dir.path().join("second.db");
    there.snapshot(&copied).await.unwrap();
    let second = Database::open(&copied).await.unwrap();
    assert_eq!(digests(&second, &tables).await, digests(&there, &tables).await);
    assert!(there.snapshot(&copied).await.is_err(), "a file is overwritten");
}

#[tokio::test]
async fn a_server_is_filled_with_everything_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let from = file(&dir, "from.db").await;
    run(&from, ROWS).await;
    let server = Server::start();
    let location = server.location("there");
    let there = Database::open(location.clone()).await.unwrap();
    crate::testkit::refuse_rows(&there, "docket_checkpoint", None).await;
    let failed = there.fill(&from).await.unwrap_err();
    assert!(matches!(failed, CarryError::Sql(_)), "{failed}");
    Database::vacant(&location).await.unwrap();
    crate::testkit::admit_rows(&there, "docket_checkpoint").await;
    // Rows that change on the way are noticed.
    run(
        &there,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN NEW.country = 'XX'; RETURN NEW; END $$; \
         CREATE TRIGGER meddled BEFORE INSERT ON region FOR EACH ROW EXECUTE FUNCTION meddle()",
    )
    .await;
    let altered = there.fill(&from).await.unwrap_err();
    assert!(
        matches!(&altered, CarryError::Differs(table) if table == "region"),
        "{altered}"
    );
    Database::vacant(&location).await.unwrap();
    run(
        &there,
        "DROP TRIGGER meddled ON region; ALTER TABLE region ADD COLUMN more BIGINT",
    )
    .await;
    let other = there.fill(&from).await.unwrap_err();
    assert!(
        matches!(&other, CarryError::Schema(table) if table == "region"),
        "{other}"
    );

    // Somebody else's tables are left alone.
    let theirs = server.location("theirs");
    let mut db = {
        sqlx::any::install_default_drivers();
        use sqlx::Connection as _;
        AnyConnection::connect(&server.url("theirs")).await.unwrap()
    };
    sqlx::raw_sql("CREATE TABLE customers (id BIGINT)")
        .execute(&mut db)
        .await
        .unwrap();
    let refused = Database::vacant(&theirs).await.unwrap_err().to_string();
    assert!(refused.contains("`customers`"), "{refused}");
}
