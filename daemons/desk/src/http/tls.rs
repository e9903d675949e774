//! HTTPS with the rack's own certificate, or the operator's.

use anyhow::Context;
use link::ca::Certified;
use link::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The operator's certificate (systemd credentials `console-cert` and `console-key`, PEM) when there is one, else
/// the one that the site CA signed.
///
/// # Errors
/// When the operator's certificate cannot be used.
pub(crate) fn config(own: &Certified) -> anyhow::Result<TlsAcceptor> {
    let (chain, key) = match (unit::credential("console-cert"), unit::credential("console-key")) {
        (Some(cert), Some(key)) => operators(&cert, &key)?,
        (None | Some(_), None) | (None, Some(_)) => (own.chain.clone(), own_key(&own.key)),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the console's certificate and key do not belong together")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn own_key(key: &PrivatePkcs8KeyDer<'static>) -> PrivateKeyDer<'static> {
    key.clone_key().into()
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn operators(cert: &[u8], key: &[u8]) -> anyhow::Result<Pair> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    let chain = chain.context("credential console-cert is not a PEM certificate chain")?;
    let key =
        PrivateKeyDer::from_pem_slice(key).context("credential console-key is not a PEM private key")?;
    Ok((chain, key))
}
