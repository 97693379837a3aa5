//! Who looks at a broker's certificate, and how often: one look at a time in the whole process, and one at each broker in 10 s,
//! however many clients ask. All of them hear what was seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::certificate::{self, Trust};
use super::connection_error::Trouble;
use crate::clock::Clock;

/// What is wrong with a client's connections; `None` where nothing is.
pub type Shared = Arc<Mutex<Option<Trouble>>>;

/// How long what was seen is good for.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it is remembered: a broker that nobody complains about any more is forgotten.
const MEMORY: Duration = Duration::from_secs(600);

/// The process's looks, on a clock that began with the first of them.
static LOOKS: Mutex<Option<(Clock, Looks)>> = Mutex::new(None);

#[derive(Default)]
struct Looks {
    seen: Vec<Look>,
    is_looking: bool,
}

struct Look {
    address: String,
    trust: Trust,
    /// What was last seen, and when.
    message: Option<String>,
    at: Option<Duration>,
    /// Who wants to know what the next look sees.
    waiting: Vec<Weak<Mutex<Option<Trouble>>>>,
}

impl Looks {
    /// What was last seen of this broker, and whether somebody must begin to look now.
    fn ask(&mut self, address: &str, trust: &Trust, client: &Shared, now: Duration) -> (Option<String>, bool) {
        self.seen.retain(|look| !look.waiting.is_empty() || look.at.is_some_and(|at| now < at + MEMORY));
        let known = self.seen.iter().position(|look| look.address == address && look.trust == *trust);
        let index = known.unwrap_or_else(|| {
            let (address, trust) = (address.to_owned(), trust.clone());
            self.seen.push(Look { address, trust, message: None, at: None, waiting: Vec::new() });
            self.seen.len() - 1
        });
        let look = &mut self.seen[index];
        if look.at.is_none_or(|at| now >= at + SILENCE) {
            let client = Arc::downgrade(client);
            if !look.waiting.iter().any(|waiting| waiting.ptr_eq(&client)) {
                look.waiting.push(client);
            }
            let begin = !std::mem::replace(&mut self.is_looking, true);
            return (look.message.clone(), begin);
        }
        (look.message.clone(), false)
    }

    /// Whom to look at next; `None` where nobody waits, and then nobody looks any more.
    fn next(&mut self) -> Option<(String, Trust)> {
        let next = self.seen.iter().find(|look| !look.waiting.is_empty());
        self.is_looking = next.is_some();
        next.map(|look| (look.address.clone(), look.trust.clone()))
    }

    /// What was seen, and who is to hear of it.
    fn done(&mut self, address: &str, trust: &Trust, message: Option<String>, now: Duration) -> Vec<Shared> {
        let Some(look) = self.seen.iter_mut().find(|look| look.address == address && look.trust == *trust) else {
            return Vec::new();
        };
        (look.message, look.at) = (message, Some(now));
        look.waiting.drain(..).filter_map(|client| client.upgrade()).collect()
    }
}

/// What was last seen of this broker's certificate. Where that is not of the last 10 s, the client hears what comes of another
/// look, unless a broker has answered it meanwhile. Does not block.
pub fn ask(address: &str, trust: &Trust, client: &Shared) -> Option<String> {
    let mut looks = lock(&LOOKS);
    let (clock, looks) = looks.get_or_insert_with(|| (Clock::new(), Looks::default()));
    let (known, begin) = looks.ask(address, trust, client, clock.elapsed());
    if begin && std::thread::Builder::new().name("certificate".to_owned()).spawn(look_at_all).is_err() {
        // Without a thread the message stays what it is; the next complaint tries again.
        looks.is_looking = false;
    }
    known
}

/// On a thread of its own, since the callers' are librdkafka's.
fn look_at_all() {
    loop {
        let next = lock(&LOOKS).as_mut().and_then(|(_, looks)| looks.next());
        let Some((address, trust)) = next else { return };
        let message = certificate::diagnose(&address, &trust);
        let clients = match &mut *lock(&LOOKS) {
            Some((clock, looks)) => looks.done(&address, &trust, message.clone(), clock.elapsed()),
            None => return,
        };
        let Some(message) = message else { continue };
        for client in clients {
            let mut trouble = lock(&client);
            if trouble.is_some() {
                *trouble = Some(Trouble::Known(message.clone()));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn many_clients_make_one_look_at_a_time() {
        let (mut looks, trust) = (Looks::default(), Trust::default());
        let clients: Vec<Shared> = (0..25).map(|_| Shared::default()).collect();
        let begun = clients.iter().flat_map(|client| [("a:1", client), ("b:1", client), ("a:1", client)]);
        let begun: Vec<_> = begun.map(|(address, client)| looks.ask(address, &trust, client, at(0))).collect();
        assert_eq!(begun.iter().filter(|(_, begin)| *begin).count(), 1);
        for address in ["a:1", "b:1"] {
            assert_eq!(looks.next(), Some((address.to_owned(), trust.clone())));
            assert_eq!(looks.done(address, &trust, Some(format!("of {address}")), at(1)).len(), 25);
        }
        assert_eq!(looks.next(), None);
        // From memory for 10 s, and while somebody looks again.
        let seen = Some("of a:1".to_owned());
        assert_eq!(looks.ask("a:1", &trust, &clients[0], at(10)), (seen.clone(), false));
        assert_eq!(looks.ask("a:1", &trust, &clients[0], at(11)), (seen.clone(), true));
        assert_eq!(looks.ask("a:1", &trust, &clients[1], at(12)), (seen, false));
        assert_eq!(looks.next().map(|(address, _)| address), Some("a:1".to_owned()));
        assert_eq!(looks.done("a:1", &trust, None, at(13)).len(), 2);
        assert_eq!(looks.ask("a:1", &trust, &clients[0], at(14)), (None, false));
        // Nobody complains about the other.
        let _ = looks.ask("a:1", &trust, &clients[0], at(620));
        assert_eq!(looks.seen.len(), 1);
    }

    #[test]
    fn a_client_that_is_gone_hears_nothing() {
        let (mut looks, client) = (Looks::default(), Shared::default());
        assert_eq!(looks.ask("a:1", &Trust::default(), &client, at(0)), (None, true));
        drop(client);
        assert!(looks.done("a:1", &Trust::default(), None, at(1)).is_empty());
    }
}
