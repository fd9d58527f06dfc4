//! From declarations and given values to a plan with literals in place of its parameters.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use chrono_tz::Tz;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, CastKind, Expr, Value, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::declaration::Declaration;
use super::kind::{Kind, is_local};
use super::{Script, Undeclared};
use crate::error::QueryError;
use crate::mistake::{Mistake, did_you_mean};
use crate::syntax::{is_readable, tokens};

/// The values of a script's parameters, all known and of the declared types.
#[derive(Debug)]
pub(crate) struct Bindings {
    declared: Vec<Declaration>,
    /// Of the declared parameters, but for local times.
    values: HashMap<String, ScalarValue>,
    /// Of those, and of the others, whose types show only in the plan.
    texts: HashMap<String, (Option<Kind>, String)>,
}

impl Bindings {
    /// Holds the parameters that are used against what is declared and given. Any `zone` will do: of local times
    /// [`bind`](Self::bind) makes the values.
    ///
    /// # Errors
    /// [`QueryError::Sql`] for a mistake of the script, [`QueryError::Parameter`] for one of the values.
    pub fn new(
        script: &Script,
        declared: Vec<Declaration>,
        used: BTreeSet<String>,
        zone: Tz,
    ) -> Result<Self, QueryError> {
        let given: HashMap<&str, &str> = script
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        check_given(script, &declared)?;
        let mut bindings = Self {
            values: HashMap::new(),
            texts: HashMap::new(),
            declared,
        };
        for declaration in &bindings.declared {
            let (name, kind) = (declaration.name.clone(), declaration.kind);
            let given = given.get(name.as_str()).copied();
            let value = declared_value(declaration, given, zone)?;
            match given.or(declaration.default.as_deref()) {
                Some(text) if kind == Kind::Timestamp && is_local(text) => {
                    bindings.texts.insert(name, (Some(kind), text.to_owned()));
                }
                _ => {
                    bindings.values.insert(name, value);
                }
            }
        }
        for name in used {
            if bindings.values.contains_key(&name) || bindings.texts.contains_key(&name) {
                continue;
            }
            let value = given.get(name.as_str()).ok_or_else(|| {
                QueryError::Parameter(format!(
                    "parameter ${name} has no value; give it as --param {name}=VALUE"
                ))
            })?;
            bindings.texts.insert(name, (None, (*value).to_owned()));
        }
        Ok(bindings)
    }

    /// Lets the planner know the declared types: a bare parameter has none until it is bound.
    pub fn declare_types(&self, statement: &mut Statement) {
        let Some(statement) = sql_of_mut(statement) else {
            return;
        };
        let _ = visit_expressions_mut(statement, |expr| {
            let declared = parameter(expr)
                .and_then(|name| self.declared.iter().find(|known| known.name == name));
            if let Some(declared) = declared {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(expr.clone()),
                    data_type: declared.kind.sql_type(),
                    array: false,
                    format: None,
                };
            }
            ControlFlow::<()>::Continue(())
        });
    }

    /// Whether a value is a time, or may be one, that says no offset.
    pub fn have_local_times(&self) -> bool {
        self.texts.values().any(|(_, text)| is_local(text))
    }

    /// Puts the values in the place of the parameters, local times as those of `zone`.
    pub fn bind(&self, plan: LogicalPlan, zone: Tz) -> Result<LogicalPlan, Mistake> {
        if self.values.is_empty() && self.texts.is_empty() {
            return Ok(plan);
        }
        let mut values = self.values.clone();
        let inferred = plan.get_parameter_types()?;
        for (name, (kind, text)) in &self.texts {
            let data_type = inferred.get(&format!("${name}")).and_then(Option::as_ref);
            let value = kind
                .or(data_type.map(Kind::of))
                .unwrap_or(Kind::Text)
                .parse(text, zone)
                .map_err(|why| QueryError::Parameter(format!("parameter ${name}: {why}")))?;
            values.insert(name.clone(), value);
        }
        Ok(plan.with_param_values(values)?)
    }
}

/// Refuses values for what the script does not ask, also in statements that will not run.
fn check_given(script: &Script, declared: &[Declaration]) -> Result<(), QueryError> {
    let mut names: BTreeSet<String> = declared.iter().map(|known| known.name.clone()).collect();
    names.extend(tokens(script.sql).iter().filter_map(named));
    // Behind a quote that is not closed nothing is known of what stands there.
    let may_stand =
        |name: &str| script.sql.contains(&format!("${name}")) && !is_readable(script.sql);
    let mut given = script.values.iter().map(|(name, _)| name);
    let Some(unknown) = given.find(|name| !(names.contains(*name) || may_stand(name))) else {
        return Ok(());
    };
    let advice = did_you_mean(unknown, names.iter().map(String::as_str)).unwrap_or_else(|| {
        let mut names = names.iter().map(|name| format!("${name}"));
        let Some(first) = names.next() else {
            return "; the query takes none".to_owned();
        };
        names.fold(format!("; the query takes {first}"), |list, name| {
            list + ", " + &name
        })
    });
    Err(QueryError::Parameter(format!(
        "the query has no parameter ${unknown}{advice}"
    )))
}

fn declared_value(
    declaration: &Declaration,
    given: Option<&str>,
    zone: Tz,
) -> Result<ScalarValue, QueryError> {
    let Declaration {
        name,
        kind,
        description,
        ..
    } = declaration;
    let meaning = if description.is_empty() {
        String::new()
    } else {
        format!(" ({description})")
    };
    match (given, &declaration.default) {
        (Some(given), _) => kind
            .parse(given, zone)
            .map_err(|why| QueryError::Parameter(format!("parameter ${name}{meaning}: {why}"))),
        (None, Some(default)) => kind
            .parse(default, zone)
            .map_err(|why| QueryError::sql(format!("the default of parameter ${name}: {why}"))),
        (None, None) => Err(QueryError::Parameter(format!(
            "parameter ${name}{meaning} has no value; give {} {kind} as --param {name}=VALUE",
            kind.article()
        ))),
    }
}

fn undeclared(name: &str, declared: &[Declaration]) -> QueryError {
    let names = declared.iter().map(|known| known.name.as_str());
    let advice = did_you_mean(name, names).unwrap_or_else(|| {
        format!("; add a leading comment such as `-- ${name} TEXT = NULL  description`")
    });
    QueryError::sql(format!("${name} is used but not declared{advice}"))
}

/// The parameter that the token names.
fn named(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Placeholder(text) => text.strip_prefix('$').map(str::to_owned),
        _ => None,
    }
}

/// The names of all parameters that the statement uses.
///
/// # Errors
/// [`QueryError::Sql`] for one without a name, or that is not declared where it must be.
pub(crate) fn parameters_of(
    statement: &Statement,
    declared: &[Declaration],
    kind: Undeclared,
) -> Result<BTreeSet<String>, QueryError> {
    let mut names = BTreeSet::new();
    if let Some(statement) = sql_of(statement) {
        let _ = visit_expressions(statement, |expr| {
            names.extend(parameter(expr).map(str::to_owned));
            ControlFlow::<()>::Continue(())
        });
    }
    if names.contains("") {
        return Err(QueryError::sql(
            "a parameter needs a name: write $name instead of ?".to_owned(),
        ));
    }
    let is_declared = |name: &String| declared.iter().any(|known| known.name == *name);
    match names.iter().find(|name| !is_declared(name)) {
        Some(name) if kind == Undeclared::Refused => Err(undeclared(name, declared)),
        _ => Ok(names),
    }
}

/// The name of the parameter that the expression is, empty where it has none.
fn parameter(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(text) => Some(text.strip_prefix('$').unwrap_or_default()),
            _ => None,
        },
        _ => None,
    }
}

/// The SQL of the statement, also of one that is explained.
pub(crate) fn sql_of(statement: &Statement) -> Option<&ast::Statement> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => sql_of(&explain.statement),
        _ => None,
    }
}

fn sql_of_mut(statement: &mut Statement) -> Option<&mut ast::Statement> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => sql_of_mut(&mut explain.statement),
        _ => None,
    }
}
