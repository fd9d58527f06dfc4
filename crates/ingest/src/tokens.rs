//! Which tokens prove that a delivery comes from the platform, and pairing with the first that introduces itself.
//! Never shows a token: not in a message, not in a log line, not through `Debug`.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use tokio::sync::Mutex;

/// The file in the WAL directory that holds the token paired with.
const PAIRED_FILE: &str = "paired-token";
const MAX_TOKEN_BYTES: usize = 1024;

/// A secret that the platform puts into every delivery.
#[derive(Clone)]
pub struct Token(Box<str>);

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a token is 1 to {MAX_TOKEN_BYTES} bytes of text without spaces at its ends and without control characters"
)]
pub struct InvalidToken;

/// Why the paired token cannot be used.
#[derive(Debug, Error)]
#[error("the paired token in {} cannot be used: {reason}; remove the file to pair again", path.display())]
pub struct PairedTokenError {
    path: PathBuf,
    reason: String,
}

impl Token {
    /// # Errors
    /// See [`InvalidToken`].
    pub fn new(text: &str) -> Result<Self, InvalidToken> {
        let fits = (1..=MAX_TOKEN_BYTES).contains(&text.len()) && text.trim() == text;
        if !fits || text.chars().any(char::is_control) {
            return Err(InvalidToken);
        }
        Ok(Self(text.into()))
    }

    /// The secret itself, for the one answer that must hold it.
    pub(crate) fn reveal(&self) -> String {
        self.0.clone().into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// The tokens a running service accepts.
pub(crate) struct Tokens {
    configured: Vec<Token>,
    paired: OnceLock<Token>,
    /// Held while pairing; `None` where pairing was not asked for.
    pairing: Option<Mutex<()>>,
    file: PathBuf,
}

impl Tokens {
    /// The configured tokens and the one that `dir` remembers from an earlier pairing, if any. With `pair`, and without
    /// an earlier pairing, the first handshake's token is accepted too.
    pub fn load(configured: Vec<Token>, pair: bool, dir: &Path) -> Result<Self, PairedTokenError> {
        let file = dir.join(PAIRED_FILE);
        let unusable = |reason: String| PairedTokenError {
            path: file.clone(),
            reason,
        };
        let paired = match fs::read_to_string(&file) {
            Ok(text) => {
                let token = Token::new(text.strip_suffix('\n').unwrap_or(&text));
                OnceLock::from(token.map_err(|error| unusable(error.to_string()))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => OnceLock::new(),
            Err(error) => return Err(unusable(error.to_string())),
        };
        if pair && paired.get().is_some() {
            tracing::info!(file = %file.display(), "already paired; to pair again, stop, remove the file, and start");
        }
        Ok(Self {
            configured,
            paired,
            pairing: pair.then(Mutex::default),
            file,
        })
    }

    /// Compares with every token, in time that does not depend on how much of one is right.
    pub fn accepts(&self, candidate: &str) -> bool {
        let equal = |token: &Token| token.0.as_bytes().ct_eq(candidate.as_bytes());
        let known = self.configured.iter().chain(self.paired.get());
        known
            .fold(Choice::from(0), |any, token| any | equal(token))
            .into()
    }

    pub fn is_empty(&self) -> bool {
        self.configured.is_empty() && self.paired.get().is_none()
    }

    pub fn pairing_is_open(&self) -> bool {
        self.pairing.is_some() && self.paired.get().is_none()
    }

    /// Accepts and stores this token, unless another was faster. Returns whether it is accepted now.
    ///
    /// # Errors
    /// It could not be stored durably; pairing stays open.
    pub async fn pair(&self, token: Token) -> io::Result<bool> {
        let Some(pairing) = &self.pairing else {
            return Ok(false);
        };
        let _one_at_a_time = pairing.lock().await;
        if self.paired.get().is_none() {
            let (file, stored) = (self.file.clone(), token.clone());
            tokio::task::spawn_blocking(move || store(&file, &stored))
                .await
                .map_err(io::Error::other)??;
            tracing::warn!(
                file = %self.file.display(),
                "paired: the token of this handshake is stored and accepted from now on; pairing is closed"
            );
        }
        let paired = self.paired.get_or_init(|| token.clone());
        Ok(paired.0.as_bytes().ct_eq(token.0.as_bytes()).into())
    }
}

/// Either the whole token is in the file after a crash, or there is no file.
fn store(file: &Path, token: &Token) -> io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut output = options.open(&unfinished)?;
    writeln!(output, "{}", token.0)?;
    output.sync_all()?;
    fs::rename(&unfinished, file)?;
    File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn token(text: &str) -> Token {
        Token::new(text).unwrap()
    }

    #[test]
    fn what_cannot_be_a_token_is_refused() {
        for text in ["", " ", "a\n", " a", "a\tb", &"x".repeat(1025)] {
            assert_eq!(Token::new(text).err(), Some(InvalidToken), "{text:?}");
        }
        assert_eq!(format!("{:?}", token("secret")), "Token(..)");
    }

    #[test]
    fn every_configured_token_is_accepted_and_nothing_else() {
        let dir = TempDir::new().unwrap();
        let tokens = Tokens::load(vec![token("one"), token("two")], false, dir.path()).unwrap();
        for (candidate, accepted) in [
            ("one", true),
            ("two", true),
            ("on", false),
            ("onee", false),
            ("", false),
        ] {
            assert_eq!(tokens.accepts(candidate), accepted, "{candidate}");
        }
        assert!(!tokens.pairing_is_open());
    }

    #[tokio::test]
    async fn the_first_token_to_pair_wins_and_is_remembered_by_the_next_start() {
        let dir = TempDir::new().unwrap();
        let tokens = Tokens::load(vec![], true, dir.path()).unwrap();
        assert!(tokens.is_empty() && tokens.pairing_is_open());
        assert!(tokens.pair(token("first")).await.unwrap());
        assert!(!tokens.pair(token("second")).await.unwrap());
        assert!(!tokens.pairing_is_open());
        for pair in [false, true] {
            let tokens = Tokens::load(vec![], pair, dir.path()).unwrap();
            assert!(
                tokens.accepts("first") && !tokens.accepts("second") && !tokens.pairing_is_open()
            );
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_may_read_the_stored_token() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new().unwrap();
        Tokens::load(vec![], true, dir.path())
            .unwrap()
            .pair(token("first"))
            .await
            .unwrap();
        let mode = fs::metadata(dir.path().join(PAIRED_FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
