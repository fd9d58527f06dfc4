//! The key that rows of all chat facts begin with: the company, the chat and its session.

use crate::chain::Chat;
use crate::columns::{Column, Value, column};

/// Which session of which chat a row belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    company_id: Option<i64>,
    chat_id: i64,
    session_no: i32,
}

impl Key {
    pub fn new(chat: &Chat, session_no: i32) -> Self {
        Self {
            company_id: chat.company_id,
            chat_id: chat.chat_id,
            session_no,
        }
    }
}

/// A row that belongs to a session.
pub(super) trait Keyed {
    fn key(&self) -> Key;
}

/// The key's columns, and then the others.
pub(super) fn key_columns<R: Keyed>(others: Vec<Column<R>>) -> Vec<Column<R>> {
    let mut columns = vec![
        column(
            "company_id",
            "Company of the platform",
            Value::Long(|row: &R| row.key().company_id),
        ),
        column(
            "chat_id",
            "Id of the chat",
            Value::Long(|row| Some(row.key().chat_id)),
        ),
        column(
            "session_no",
            "Session (atendimento) of the chat, from 1",
            Value::Int(|row| Some(row.key().session_no)),
        ),
    ];
    columns.extend(others);
    columns
}
