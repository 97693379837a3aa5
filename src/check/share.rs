//! What the file's connectors need of the org's rate limit, and whether their share of it suffices.

use std::fmt;

use crate::config::ConnectorConfig;
use crate::okta::limiter;
use crate::okta::rate_limit::RateLimit;

/// What the connectors of one org and credential ask for when they are caught up: one request an interval each.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    connectors: usize,
    a_minute: f64,
}

impl Need {
    /// Of these connectors, which share a credential.
    pub fn of<'a>(connectors: impl Iterator<Item = &'a ConnectorConfig>) -> Self {
        connectors.fold(Self { connectors: 0, a_minute: 0.0 }, |need, connector| Self {
            connectors: need.connectors + 1,
            a_minute: need.a_minute + 60.0 / connector.interval.as_secs_f64(),
        })
    }

    /// What we need of it.
    pub fn shown(&self) -> String {
        format!("{} {} {} a minute", self.who(), self.needs(), Number(self.a_minute))
    }

    /// What to do where it is not enough; Okta's window is a minute.
    pub fn too_much(&self, limit: RateLimit, share: f64) -> Option<String> {
        let ours = limiter::allowed(limit.limit, share) as f64;
        (self.a_minute > ours && limit.limit > 0).then(|| {
            format!(
                "{} {} {} requests a minute when caught up, and `rate_limit_share` allows {}: polls may come later than `interval` says; raise `interval` to {} s, or the share of this credential in Okta (50 % by default)",
                self.who(),
                self.needs(),
                Number(self.a_minute),
                Number(ours),
                (self.connectors as f64 * 60.0 / ours).ceil(),
            )
        })
    }

    fn who(&self) -> String {
        match self.connectors {
            1 => "1 connector with this credential".to_owned(),
            count => format!("{count} connectors with this credential"),
        }
    }

    fn needs(&self) -> &'static str {
        if self.connectors == 1 { "needs" } else { "need" }
    }
}

/// A number with a decimal place where it has one.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_and_the_need_are_told() {
        let limit = |limit| RateLimit { limit, remaining: 0, reset: 0 };
        let need = |connectors, a_minute| Need { connectors, a_minute };
        assert_eq!(need(1, 1.0).shown(), "1 connector with this credential needs 1 a minute");
        assert_eq!(need(3, 0.75).shown(), "3 connectors with this credential need 0.75 a minute");
        assert_eq!(need(8, 8.0).too_much(limit(10), 0.8), None);
        assert_eq!(need(9, 9.0).too_much(limit(0), 0.8), None);
        let said = need(16, 16.0).too_much(limit(10), 0.8).expect("too much");
        assert!(said.starts_with("16 connectors with this credential need 16 requests a minute"), "{said}");
        assert!(said.contains("allows 8:") && said.contains("raise `interval` to 120 s"), "{said}");
    }
}
