//! Failures by their exit code, told on stderr. A closed pipe is no failure.

use std::io::ErrorKind;
use std::process::ExitCode;

#[derive(Debug)]
pub enum Failure {
    /// The work itself failed: exit code 1.
    Work(anyhow::Error),
    /// The arguments make no sense together: exit code 2.
    Usage(anyhow::Error),
    /// The work failed, and was told when it did: exit code 1.
    Told,
    /// The user interrupted the work: exit code 130.
    Interrupted,
    /// Whoever read our stdout has gone: no failure.
    ClosedPipe,
    /// The lake, the configuration or the machine cannot be used: exit code 3.
    Environment(anyhow::Error),
}

impl Failure {
    /// Tells the failure, and says how the process is to end.
    pub fn report(self) -> ExitCode {
        self.tell();
        ExitCode::from(match self {
            Failure::ClosedPipe => 0,
            Failure::Work(_) | Failure::Told => 1,
            Failure::Usage(_) => 2,
            Failure::Environment(_) => 3,
            Failure::Interrupted => 130,
        })
    }

    pub fn tell(&self) {
        match self {
            Failure::Work(error) | Failure::Usage(error) | Failure::Environment(error) => {
                tell!("error: {}", in_words(error));
            }
            Failure::Interrupted => tell!("interrupted"),
            Failure::Told | Failure::ClosedPipe => {}
        }
    }
}

/// The error and its causes, without those that it has told already.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
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
