//! The product on real object stores: SeaweedFS for S3, Azurite for Azure, both started here, on loopback,
//! with their data in temporary folders. `make test-storage` installs them and says where they are.

#[path = "../comparison.rs"]
mod comparison;
mod faults;
mod maintain;
mod pipeline;
mod pressure;
mod proxy;
mod replicas;
mod servers;
#[allow(dead_code, reason = "shared with the other tests")]
#[path = "../support.rs"]
mod support;
mod traffic;
