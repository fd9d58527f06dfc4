//! How many refused requests an address may make before it is told to hold on. Only refusals are counted, and only they
//! are limited: a valid token is served also from an address that others abuse, such as that of a proxy in front of
//! the service.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// So many addresses are told apart; beyond that all share one account until some are forgotten. About 4 MiB.
const MAX_ADDRESSES: usize = 1 << 16;
/// Addresses whose account has filled up again are forgotten this often, once there are too many.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// The account of all addresses that are not told apart.
const ALL_OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

type Accounts = RateLimiter<
    IpAddr,
    HashMapStateStore<IpAddr>,
    MonotonicClock,
    NoOpMiddleware<<MonotonicClock as Clock>::Instant>,
>;

/// The address a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

/// Counts refusals by address.
pub(super) struct Refusals {
    /// `None` where there is no limit.
    accounts: Option<Accounts>,
    max_addresses: usize,
    tidied_at: Mutex<Option<Instant>>,
}

impl Refusals {
    /// At most so many a minute from one address, all at once or spread; 0 for no limit.
    pub fn new(per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Self {
            accounts: quota
                .map(|quota| RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)),
            max_addresses: MAX_ADDRESSES,
            tidied_at: Mutex::new(None),
        }
    }

    /// Counts one refusal.
    ///
    /// # Errors
    /// There were too many: how long until the next is allowed.
    pub fn count(&self, peer: Peer) -> Result<(), Duration> {
        let Some(accounts) = &self.accounts else {
            return Ok(());
        };
        let key = if self.has_room(accounts) {
            network(peer.0)
        } else {
            ALL_OTHERS
        };
        accounts
            .check_key(&key)
            .map_err(|refused| refused.wait_time_from(accounts.clock().now()))
    }

    fn has_room(&self, accounts: &Accounts) -> bool {
        if accounts.len() < self.max_addresses {
            return true;
        }
        // A lock that is taken means that another is at it.
        if let Ok(mut tidied_at) = self.tidied_at.try_lock()
            && tidied_at.is_none_or(|at| at.elapsed() >= TIDY_EVERY)
        {
            accounts.retain_recent();
            *tidied_at = Some(Instant::now());
        }
        accounts.len() < self.max_addresses
    }
}

/// Whoever has one IPv6 address has the 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer(address.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_own_account_and_each_ipv6_network() {
        let refusals = Refusals::new(2);
        for _ in 0..2 {
            assert_eq!(refusals.count(peer("10.0.0.1")), Ok(()));
            assert_eq!(refusals.count(peer("2001:db8::1")), Ok(()));
        }
        for address in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::ffff:1:1"] {
            let wait = refusals.count(peer(address)).unwrap_err();
            assert!(wait <= Duration::from_secs(30), "{address}: {wait:?}");
        }
        for address in ["10.0.0.2", "2001:db8:0:1::1"] {
            assert_eq!(refusals.count(peer(address)), Ok(()), "{address}");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let refusals = Refusals::new(0);
        assert!((0..1000).all(|_| refusals.count(peer("10.0.0.1")).is_ok()));
    }

    #[test]
    fn memory_is_bounded_however_many_addresses_come() {
        let refusals = Refusals {
            max_addresses: 100,
            ..Refusals::new(1000)
        };
        let mut limited = 0;
        for number in 0..20_000_u32 {
            limited += u32::from(refusals.count(Peer(IpAddr::V4(number.into()))).is_err());
        }
        let accounts = refusals.accounts.as_ref().unwrap();
        assert!(accounts.len() <= 101, "{} accounts", accounts.len());
        assert!(limited > 0, "those without an account have no limit");
    }
}
