//! `dim_departments`: the company's departments as last told.

use events::{Detail, Event};

use super::{Dimension, Known, Mention};
use crate::columns::{Column, Value, column};

pub(super) static DEPARTMENTS: Dimension = Dimension {
    name: "dim_departments",
    description: "One row per department (departamento), with the latest known values.",
    id: ("department_id", "Id of the department (departamento)"),
    fields: FIELDS,
    counts: &[],
    last_seen: "updated_at",
    mentions,
};

const FIELDS: &[Column<Known>] = &[column(
    "name",
    "Name as last told; NULL where only the id was ever told",
    Value::Text(|known| known.text(0)),
)];

/// The chat's department, and the one it was in before.
fn mentions(event: &Event) -> Vec<Mention> {
    let previous = match &event.detail {
        Detail::DepartmentChange { previous, .. } => previous.as_ref(),
        _ => None,
    };
    let named = event.department.iter().chain(previous);
    named
        .map(|department| Mention {
            id: Some(department.id),
            values: vec![department.name.clone()],
        })
        .collect()
}
