//! TLS from PEM files, which may be renewed while the service runs. Holds no policy beyond the library's safe defaults.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::ServeError;
use super::config::TlsFiles;

/// TLS under the certificate that counts now. Clones follow its renewals.
#[derive(Clone)]
pub(super) struct Tls(watch::Receiver<Arc<ServerConfig>>);

/// Looks at the files and brings what has changed to [`Tls`].
pub(super) struct Renewal {
    files: TlsFiles,
    identity: Identity,
    current: watch::Sender<Arc<ServerConfig>>,
    /// What was wrong at the last look, so that it is told once.
    failure: Option<String>,
}

/// What the files hold.
#[derive(PartialEq)]
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`ServeError::Tls`] if they hold no certificate and its key.
    pub fn load(files: &TlsFiles) -> Result<(Self, Renewal), ServeError> {
        let identity = Identity::read(files)?;
        let (current, receiver) = watch::channel(identity.server(files)?);
        let renewal = Renewal {
            files: files.clone(),
            identity,
            current,
            failure: None,
        };
        Ok((Self(receiver), renewal))
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.borrow()))
    }
}

impl Renewal {
    /// Goes on looking until the stop.
    pub async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        while tokio::time::timeout(self.files.check_every, stop.wait_for(|stop| *stop))
            .await
            .is_err()
        {
            let look = move || {
                self.look();
                self
            };
            match tokio::task::spawn_blocking(look).await {
                Ok(same) => self = same,
                Err(error) => {
                    return tracing::error!(%error, "the TLS certificate is no longer looked after; restart to renew it");
                }
            }
        }
    }

    fn look(&mut self) {
        match self.renewed() {
            Ok(false) => self.failure = None,
            Ok(true) => {
                self.failure = None;
                tracing::info!(file = %self.files.certificate.display(), "the TLS certificate was renewed");
            }
            // One file is replaced before the other, so it may be right at the next look.
            Err(error) => {
                let failure = Some(error.to_string());
                if self.failure != failure {
                    tracing::warn!(%error, "the TLS certificate was not renewed; the one before is kept in use");
                    self.failure = failure;
                }
            }
        }
    }

    fn renewed(&mut self) -> Result<bool, ServeError> {
        let identity = Identity::read(&self.files)?;
        if identity == self.identity {
            return Ok(false);
        }
        self.current.send_replace(identity.server(&self.files)?);
        self.identity = identity;
        Ok(true)
    }
}

impl Identity {
    fn read(files: &TlsFiles) -> Result<Self, ServeError> {
        let chain = CertificateDer::pem_file_iter(&files.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable(&files.certificate, error))?;
        if chain.is_empty() {
            let reason = "it holds no certificate in PEM form";
            return Err(unusable(&files.certificate, reason));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| unusable(&files.key, error))?;
        Ok(Self { chain, key })
    }

    fn server(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, ServeError> {
        let (chain, key) = (self.chain.clone(), self.key.clone_key());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unusable(&files.certificate, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn unusable(path: &Path, reason: impl ToString) -> ServeError {
    ServeError::Tls {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
