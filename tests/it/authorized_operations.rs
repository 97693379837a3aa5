//! What a broker says of our permissions, and what is made of a broker that says nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use okta_kafka_source::config::{Config, KafkaProperties};
use okta_kafka_source::kafka::authorized_operations::Operation;
use okta_kafka_source::kafka::embedded::EmbeddedBroker;
use okta_kafka_source::kafka::topics::Topics;

use crate::support::acls::{self, Resource};
use crate::support::authorizer::{self, USER};
use crate::support::org::Org;
use crate::support::ports::free_port;
use crate::support::shared_broker::shared_broker;
use crate::support::topics::{create_topic, random_name, topic_exists};

/// Twice the longest wait, of which a busy machine may need some.
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn an_authorizer_says_what_we_may() {
    use Operation::{Create, Describe, DescribeConfigs, Read, Write};
    let Some(broker) = authorizer::broker() else { return };
    let bootstrap = broker.bootstrap();
    let text = authorizer::config(&broker).connector(Org::with_events(0).connector("acme")).render();
    let topics = Topics::new(&Config::parse(&text, &|_| None).unwrap().kafka).unwrap();
    let granted = |operations: &[acls::Operation]| {
        let topic = random_name("allowed");
        create_topic(&bootstrap, &topic, 1, &[]);
        let permissions: Vec<_> = operations.iter().map(|operation| (Resource::Topic(&topic), *operation)).collect();
        if !permissions.is_empty() {
            acls::grant(&bootstrap, USER, &permissions);
        }
        topic
    };
    // WRITE and READ imply DESCRIBE; a topic that may not be described says nothing of what else is granted.
    let mut expected = Vec::new();
    for (operations, allowed) in [
        (&[][..], &[][..]),
        (&[acls::Operation::Write], &[Write, Describe]),
        (&[acls::Operation::Read], &[Read, Describe]),
        (&[acls::Operation::Describe], &[Describe]),
        (&[acls::Operation::DescribeConfigs], &[]),
        (&[acls::Operation::Create], &[]),
        (
            &[acls::Operation::Read, acls::Operation::Write, acls::Operation::DescribeConfigs, acls::Operation::Create],
            &[Read, Write, Create, Describe, DescribeConfigs],
        ),
    ] {
        let topic = granted(operations);
        let allowed: BTreeSet<Operation> = allowed.iter().copied().collect();
        assert_eq!(topics.allowed(&topic), Some(allowed.clone()), "{operations:?}");
        expected.push((topic, allowed));
    }
    // All with one question, each named twice.
    let names: Vec<&str> = expected.iter().chain(&expected).map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics.all_allowed(&names), expected.iter().cloned().collect());

    // A topic that is not there: known where it may be seen, refused where not, and never made by the question.
    let absent = random_name("absent");
    assert_eq!(topics.allowed(&absent), Some(BTreeSet::new()));
    acls::grant(&bootstrap, USER, &[(Resource::Topic(&absent), acls::Operation::Write)]);
    assert_eq!(topics.allowed(&absent), None);
    assert!(!topic_exists(&bootstrap, &absent));

    let group = random_name("group");
    assert_eq!(topics.allowed_on_group(&group), Some(BTreeSet::new()));
    acls::grant(&bootstrap, USER, &[(Resource::Group(&group), acls::Operation::Read)]);
    assert_eq!(topics.allowed_on_group(&group), Some(BTreeSet::from([Read, Describe])));
}

#[test]
fn without_an_authorizer_all_is_allowed() {
    let Some(kafka) = shared_broker() else { return };
    let topic = random_name("allowed");
    create_topic(kafka.bootstrap(), &topic, 1, &[]);
    let topics = Topics::new(&KafkaProperties::for_brokers(kafka.bootstrap())).unwrap();
    for allowed in [topics.allowed(&topic), topics.allowed_on_group(&random_name("group"))] {
        let allowed = allowed.expect("it says");
        assert!([Operation::Read, Operation::Describe].iter().all(|operation| allowed.contains(operation)));
    }
}

/// The embedded broker does not know the question, and one that is not there does not answer: unknown, in time.
#[test]
fn who_does_not_say_leaves_it_unknown_in_time() {
    let embedded = EmbeddedBroker::start().unwrap();
    embedded.create_topic("there", 1).unwrap();
    for bootstrap in [embedded.address(), format!("127.0.0.1:{}", free_port())] {
        let began = Instant::now();
        let topics = Topics::new(&KafkaProperties::for_brokers(&bootstrap)).unwrap();
        assert_eq!(topics.allowed("there"), None, "{bootstrap}");
        assert_eq!(topics.allowed_on_group("anybody"), None, "{bootstrap}");
        assert!(began.elapsed() < BOUND, "{bootstrap}: {:?}", began.elapsed());
    }
}
