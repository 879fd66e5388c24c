//! Many clients that push.

#![expect(clippy::disallowed_methods, reason = "a measurement is of real time")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::client::Client;

/// Gauges of one group.
pub const GAUGES: usize = 10;

/// What pushes took.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    sorted_us: Vec<u64>,
    elapsed: Duration,
}

impl Latencies {
    /// Milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn mean_ms(&self) -> f64 {
        self.sorted_us.iter().sum::<u64>() as f64 / self.sorted_us.len().max(1) as f64 / 1e3
    }

    /// Milliseconds that 99 of a hundred pushes did not exceed.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn p99_ms(&self) -> f64 {
        let rank = (self.sorted_us.len() * 99).div_ceil(100).saturating_sub(1);
        self.sorted_us.get(rank).copied().unwrap_or_default() as f64 / 1e3
    }

    /// Pushes per second of all clients together.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn per_second(&self) -> f64 {
        self.sorted_us.len() as f64 / self.elapsed.as_secs_f64()
    }
}

fn path(group: usize) -> String {
    format!("/metrics/job/bench/instance/i{group}")
}

fn body(random: &mut StdRng) -> String {
    let gauge = |index: usize, value: f64| format!("# TYPE bench_{index} gauge\nbench_{index} {value}\n");
    (0..GAUGES).map(|index| gauge(index, random.random::<f64>())).collect()
}

/// Pushes each of so many groups once.
///
/// # Errors
/// If a push is refused.
pub fn fill(address: SocketAddr, groups: usize, clients: usize) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (0..clients)
            .map(|number| {
                let next = &next;
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut random = StdRng::seed_from_u64(number as u64);
                    let mut client = Client::connect(address)?;
                    loop {
                        let group = next.fetch_add(1, Ordering::Relaxed);
                        if group >= groups {
                            return Ok(());
                        }
                        pushed(client.ask("PUT", &path(group), &body(&mut random))?)?;
                    }
                })
            })
            .collect();
        fillers
            .into_iter()
            .try_for_each(|filler| filler.join().map_err(|_| anyhow::anyhow!("a client died"))?)
    })
}

/// Clients that push to random groups, each as fast as it is answered, for so long; a push under way is waited for.
///
/// # Errors
/// If a push is refused.
pub fn push(address: SocketAddr, groups: usize, clients: usize, time: Duration) -> anyhow::Result<Latencies> {
    let started = Instant::now();
    let all = std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..clients)
            .map(|number| {
                scope.spawn(move || -> anyhow::Result<Vec<u64>> {
                    let mut random = StdRng::seed_from_u64(1_000 + number as u64);
                    let mut client = Client::connect(address)?;
                    let mut took = Vec::new();
                    while started.elapsed() < time {
                        let (path, body) = (path(random.random_range(0..groups)), body(&mut random));
                        let sent = Instant::now();
                        pushed(client.ask("PUT", &path, &body)?)?;
                        took.push(u64::try_from(sent.elapsed().as_micros()).context("too long")?);
                    }
                    Ok(took)
                })
            })
            .collect();
        let joined = pushers.into_iter().map(|p| p.join().map_err(|_| anyhow::anyhow!("a client died"))?);
        joined.collect::<anyhow::Result<Vec<Vec<u64>>>>()
    })?;
    let mut sorted_us = all.concat();
    sorted_us.sort_unstable();
    Ok(Latencies { sorted_us, elapsed: started.elapsed() })
}

fn pushed(status: u16) -> anyhow::Result<()> {
    if !matches!(status, 200 | 202) {
        bail!("a push was answered {status}");
    }
    Ok(())
}
