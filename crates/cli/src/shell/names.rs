//! The names that the shell offers and highlights. Those of the lake come when it has answered: nobody
//! waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use ::query::Engine;

use super::scan::{Kind, tokens};

#[derive(Debug, Clone, Default)]
pub struct Names(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
pub struct Known {
    /// The columns of each table; none of a table or view that the session made.
    pub tables: BTreeMap<String, Vec<String>>,
    pub functions: BTreeSet<String>,
    /// Saved queries with the names of their parameters.
    pub saved: BTreeMap<String, Vec<String>>,
}

impl Names {
    pub fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn learn(&self, learn: impl FnOnce(&mut Known)) {
        learn(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks the lake. One that does not answer has no names; whoever asks it for rows is told why.
    pub async fn learn_tables(&self, engine: &Engine) {
        let Ok(tables) = engine.tables().await else {
            return;
        };
        for table in tables {
            if let Ok(described) = engine.describe(&table.name).await {
                let columns = described.columns.into_iter().map(|column| column.name);
                let columns = columns.collect();
                self.learn(|known| {
                    known.tables.insert(table.name, columns);
                });
            }
        }
    }

    /// Of a statement that makes or drops a table or view of the session.
    pub fn learn_from(&self, statement: &str) {
        let words: Vec<&str> = tokens(statement)
            .iter()
            .filter(|token| matches!(token.kind, Kind::Word | Kind::Name))
            .map(|token| token.text(statement))
            .collect();
        let is = |word: &&str, other: &str| word.eq_ignore_ascii_case(other);
        let kind = words
            .iter()
            .take(5)
            .position(|word| is(word, "VIEW") || is(word, "TABLE"));
        let (Some(first), Some(kind)) = (words.first(), kind) else {
            return;
        };
        let rest = words[kind + 1..].iter();
        let name = rest
            .copied()
            .find(|word| !["IF", "NOT", "EXISTS"].iter().any(|other| is(word, other)));
        let Some(name) = name.map(|name| name.trim_matches('"').to_owned()) else {
            return;
        };
        self.learn(|known| {
            if is(first, "CREATE") {
                known.tables.entry(name).or_default();
            } else if is(first, "DROP") {
                known.tables.remove(&name);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_session_makes_is_known_until_it_is_dropped() {
        let names = Names::default();
        let check = |statement: &str, expected: &[&str]| {
            names.learn_from(statement);
            let known: Vec<String> = names.known().tables.keys().cloned().collect();
            assert_eq!(known, expected, "{statement}");
        };
        check("CREATE VIEW a AS SELECT 1", &["a"]);
        check(
            "create or replace temporary view B as select 1",
            &["B", "a"],
        );
        check("CREATE TABLE IF NOT EXISTS c AS SELECT 1", &["B", "a", "c"]);
        check("DROP VIEW IF EXISTS a", &["B", "c"]);
        check("SELECT 'CREATE VIEW d'", &["B", "c"]);
    }
}
