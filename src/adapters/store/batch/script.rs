//! Statements that are carried out in one call. Each call goes to the connection's thread and back, and on a busy machine
//! each of these ways is a wait for a processor: a batch of messages is one call, its transaction included.

use std::fmt::Write;
use std::mem;

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Sqlite, SqliteConnection, Type};

/// Statements to come, with what is bound to them. Their text is constant for the same numbers of rows, so that it stays
/// prepared; all their parameters are `?`, which count on from statement to statement.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
    arguments: SqliteArguments,
    /// What could not be bound.
    unbound: Option<BoxDynError>,
}

impl Script {
    /// Adds a statement; its arguments are bound next, in their order.
    pub(super) fn add(&mut self, statement: &str) -> &mut Self {
        self.text.push_str(statement);
        self.text.push(';');
        self
    }

    /// Adds an insertion of so many rows.
    ///
    /// `FAIL`, since nothing is to be undone within a statement: an error undoes the whole transaction. By default SQLite
    /// would keep a journal for each statement, in a file.
    pub(super) fn insert(&mut self, table: &str, columns: &str, rows: usize) -> &mut Self {
        let row = vec!["?"; columns.split(',').count()].join(",");
        // Writing into a text does not fail.
        let _ = write!(self.text, "INSERT OR FAIL INTO {table} ({columns}) VALUES ({row})");
        for _ in 1..rows {
            let _ = write!(self.text, ",({row})");
        }
        self.text.push(';');
        self
    }

    pub(super) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(e) = self.arguments.add(value) {
            self.unbound.get_or_insert(e);
        }
        self
    }

    /// Carries out what was added since the last time.
    pub(super) async fn run(&mut self, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Self { text, arguments, unbound } = mem::take(self);
        if let Some(cause) = unbound {
            return Err(sqlx::Error::Encode(cause));
        }
        if text.is_empty() {
            return Ok(());
        }
        // The texts are this room's own; whatever comes from elsewhere is bound.
        sqlx::query_with(AssertSqlSafe(text), arguments).execute(db).await.map(|_| ())
    }
}
