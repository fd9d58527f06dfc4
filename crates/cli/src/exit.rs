//! Failures by their exit code, told on stderr. A closed pipe is no failure.

use std::io::ErrorKind;
use std::process::ExitCode;

#[derive(Debug)]
pub enum Failure {
    /// The work itself failed: exit code 1.
    Work(anyhow::Error),
    /// The arguments make no sense together: exit code 2.
    Usage(anyhow::Error),
    /// Whoever read our stdout has gone: no failure.
    ClosedPipe,
    /// The lake, the configuration or the machine cannot be used: exit code 3.
    Environment(anyhow::Error),
}

impl Failure {
    pub fn report(self) -> ExitCode {
        let (code, error) = match self {
            Failure::ClosedPipe => return ExitCode::SUCCESS,
            Failure::Work(error) => (1, error),
            Failure::Usage(error) => (2, error),
            Failure::Environment(error) => (3, error),
        };
        eprintln!("error: {error:#}");
        ExitCode::from(code)
    }
}

impl From<lake::LakeError> for Failure {
    fn from(error: lake::LakeError) -> Self {
        Failure::Environment(error.into())
    }
}

/// Writing to stdout.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Work(error.into()),
        }
    }
}
