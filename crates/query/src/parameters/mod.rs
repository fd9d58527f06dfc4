//! Parameters of a script: `$name` in its SQL, declared in its leading comments, bound as typed values.
//!
//! A value is never made part of the SQL's text: it enters the plan as a literal of its type, before the
//! plan is optimised, so that it prunes and pushes down as a literal written there would.

mod bind;
mod declaration;
mod kind;

pub(crate) use bind::{Bindings, parameters_of, sql_of};
pub(crate) use declaration::leading_comments;
pub use declaration::{Declaration, declarations};
pub use kind::Kind;
pub(crate) use kind::{instant, local_instant};

/// SQL, and the values of its parameters.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    pub sql: &'a str,
    /// By name, without the `$`. Of a name given twice the later value counts.
    pub values: &'a [(String, String)],
    pub undeclared: Undeclared,
}

/// What a parameter is that the SQL uses without declaring it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeclared {
    /// A mistake of the script.
    Refused,
    /// Of the type that its use tells, else text: for SQL typed in.
    TypedByUse,
}

impl<'a> From<&'a str> for Script<'a> {
    fn from(sql: &'a str) -> Self {
        Script {
            sql,
            values: &[],
            undeclared: Undeclared::TypedByUse,
        }
    }
}
