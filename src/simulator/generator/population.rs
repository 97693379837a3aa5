//! The people, apps, groups, places and browsers of the simulated org.

use super::ids;

/// Somebody with an account.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) login: String,
    pub(super) name: String,
}

/// A thing with an id and a name: an app, a group, a policy.
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: &'static str,
}

/// Where a request comes from, with the JSON that says so.
pub(super) struct Place {
    /// `geographicalContext`.
    pub(super) geography: String,
    /// `securityContext`.
    pub(super) security: String,
    pub(super) network: &'static str,
}

/// A browser or another client.
pub(super) struct Agent {
    pub(super) raw: &'static str,
    pub(super) os: &'static str,
    pub(super) browser: &'static str,
    pub(super) device: &'static str,
}

/// All of them.
pub(super) struct Population {
    pub(super) people: Vec<Person>,
    pub(super) apps: Vec<Named>,
    pub(super) groups: Vec<Named>,
    pub(super) policies: Vec<Named>,
    pub(super) places: Vec<Place>,
}

const PEOPLE: usize = 400;

const FIRST_NAMES: [&str; 32] = [
    "Anna",
    "Ben",
    "Carla",
    "Daniel",
    "Emma",
    "Felipe",
    "Grace",
    "Hiroshi",
    "Ingrid",
    "James",
    "Kavya",
    "Liam",
    "Maria",
    "Noah",
    "Olivia",
    "Priya",
    "Quentin",
    "Rosa",
    "Samuel",
    "Tara",
    "Uma",
    "Victor",
    "Wei",
    "Ximena",
    "Yusuf",
    "Zoë",
    "José",
    "Łukasz",
    "Søren",
    "Björk",
    "Ольга",
    "美咲",
];

const LAST_NAMES: [&str; 30] = [
    "Adams",
    "Brown",
    "Chen",
    "Davis",
    "Evans",
    "Fischer",
    "García",
    "Hughes",
    "Ivanova",
    "Johnson",
    "Kumar",
    "Lopez",
    "Miller",
    "Nguyen",
    "O'Brien",
    "Patel",
    "Quinn",
    "Rossi",
    "Schmidt",
    "Taylor",
    "Usman",
    "Vargas",
    "Williams",
    "Xu",
    "Young",
    "Zhang",
    "Müller",
    "Nuñez",
    "Ødegaard",
    "田中",
];

/// Names as orgs have them: with commas, quotes, brackets and backslashes too, as JSON writes them.
const APPS: [&str; 24] = [
    "Salesforce.com",
    "Google Workspace",
    "Slack",
    "Zoom",
    "Microsoft Office 365",
    "Workday",
    "ServiceNow - UD",
    "Atlassian Cloud",
    "GitHub Enterprise Cloud - Organization",
    "AWS Account Federation",
    "Okta Admin Console",
    "Okta Dashboard",
    "Box",
    "DocuSign",
    "Datadog",
    "Snowflake",
    "Zendesk",
    "Concur",
    "Palo Alto Networks - GlobalProtect",
    "Legacy \\\"Intranet\\\" (do not use)",
    "Reports, EMEA [test]",
    "HR {new}",
    "Fileshare \\\\\\\\corp\\\\data",
    "Bücher & Co",
];

const GROUPS: [&str; 16] = [
    "Everyone",
    "Engineering",
    "Sales, EMEA",
    "Sales, APAC",
    "Finance",
    "Okta Administrators",
    "Contractors",
    "HR",
    "VPN Users [legacy]",
    "GitHub - Developers",
    "AWS-ReadOnly",
    "Kundendienst München",
    "Sécurité",
    "Support {tier 2}",
    "Marketing",
    "Executives",
];

const POLICIES: [&str; 6] = [
    "Any two factors",
    "Default Policy",
    "Okta Dashboard",
    "Password only",
    "Catch-all Rule",
    "Phishing resistant (admins)",
];

/// Cities and the networks of their people, as the file's first line says.
static PLACES: &str = include_str!("places.tsv");

/// So many of the agents are people's; the rest are programs.
pub(super) const BROWSERS: usize = 6;

pub(super) const AGENTS: [Agent; 9] = [
    Agent {
        raw: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
        os: "Mac OS X",
        browser: "CHROME",
        device: "Computer",
    },
    Agent {
        raw: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
        os: "Windows 10",
        browser: "CHROME",
        device: "Computer",
    },
    Agent {
        raw: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36 Edg/127.0.0.0",
        os: "Windows 10",
        browser: "CHROMIUM_EDGE",
        device: "Computer",
    },
    Agent {
        raw: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0",
        os: "Mac OS X",
        browser: "FIREFOX",
        device: "Computer",
    },
    Agent {
        raw: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        os: "iOS (iPhone)",
        browser: "SAFARI",
        device: "Mobile",
    },
    Agent {
        raw: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        os: "Linux",
        browser: "CHROME",
        device: "Computer",
    },
    Agent {
        raw: "D2DD7D3915.com.okta.android.auth/8.21.0 DeviceSDK/0.19.0 Android/14 Google/Pixel 8",
        os: "Android 14",
        browser: "UNKNOWN",
        device: "Mobile",
    },
    Agent { raw: "okta-sdk-java/16.0.0 java/17.0.11 Linux/5.15", os: "Linux", browser: "UNKNOWN", device: "Unknown" },
    Agent { raw: "python-requests/2.32.3", os: "Unknown", browser: "UNKNOWN", device: "Unknown" },
];

impl Population {
    /// Draws an org.
    pub(super) fn new(rng: &mut fastrand::Rng) -> Self {
        let people = (0..PEOPLE)
            .map(|number| {
                let first = FIRST_NAMES[rng.usize(..FIRST_NAMES.len())];
                let last = LAST_NAMES[rng.usize(..LAST_NAMES.len())];
                let plain = |name: &str| -> String {
                    name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
                };
                Person {
                    id: ids::okta_id(rng, "00u"),
                    login: format!("{}.{}{number}@example.com", plain(first), plain(last)),
                    name: format!("{first} {last}"),
                }
            })
            .collect();
        let mut named = |prefix: &str, names: &[&'static str]| -> Vec<Named> {
            names.iter().map(|name| Named { id: ids::okta_id(rng, prefix), name }).collect()
        };
        Self {
            people,
            apps: named("0oa", &APPS),
            groups: named("00g", &GROUPS),
            policies: named("rst", &POLICIES),
            places: PLACES.lines().filter(|line| !line.starts_with('#')).map(place).collect(),
        }
    }
}

fn place(row: &'static str) -> Place {
    let mut columns = row.split('\t');
    let mut column = || columns.next().unwrap_or_default();
    let [city, state, country, postal_code, lat, lon] = std::array::from_fn(|_| column());
    let [as_number, as_org, isp, domain, network] = std::array::from_fn(|_| column());
    let text = |value: &str| if value.is_empty() { "null".to_owned() } else { format!("\"{value}\"") };
    Place {
        geography: format!(
            r#"{{"city":{},"state":{},"country":{},"postalCode":{},"geolocation":{{"lat":{lat},"lon":{lon}}}}}"#,
            text(city),
            text(state),
            text(country),
            text(postal_code),
        ),
        security: format!(
            r#"{{"asNumber":{as_number},"asOrg":{},"isp":{},"domain":{},"isProxy":false}}"#,
            text(as_org),
            text(isp),
            text(domain),
        ),
        network,
    }
}
