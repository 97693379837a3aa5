//! Rendered objects, and what no schema of Kubernetes sees: whether they fit together.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The objects of one rendering.
pub struct Objects {
    name: String,
    all: Vec<Value>,
}

impl Objects {
    /// Reads what `helm template` printed. `name` is how panics call it.
    pub fn parse(name: &str, text: &str) -> Self {
        let all: Vec<Option<Value>> =
            serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), all: all.into_iter().flatten().filter(|object| !object.is_null()).collect() }
    }

    pub fn all(&self) -> &[Value] {
        &self.all
    }

    /// The objects of a kind.
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.all.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only one of a kind.
    pub fn only(&self, kind: &str) -> &Value {
        let objects = self.of(kind);
        assert_eq!(objects.len(), 1, "{}: {kind}", self.name);
        objects[0]
    }

    /// The Deployment's template of Pods.
    pub fn template(&self) -> &Value {
        &self.only("Deployment")["spec"]["template"]
    }

    /// What a Pod is.
    pub fn pod(&self) -> &Value {
        &self.template()["spec"]
    }

    /// Its only container.
    pub fn container(&self) -> &Value {
        let containers = list(&self.pod()["containers"]);
        assert_eq!(containers.len(), 1, "{}", self.name);
        &containers[0]
    }

    /// The templates of the Pods of the CronJobs.
    pub fn queries(&self) -> Vec<&Value> {
        self.of("CronJob").into_iter().map(|job| &job["spec"]["jobTemplate"]["spec"]["template"]).collect()
    }

    /// Each Pod that there may be, and its only container.
    fn pods(&self) -> Vec<(&Value, &Value)> {
        let mut pods = vec![(self.pod(), self.container())];
        for template in self.queries() {
            let containers = list(&template["spec"]["containers"]);
            assert_eq!(containers.len(), 1, "{}", self.name);
            pods.push((&template["spec"], &containers[0]));
        }
        pods
    }

    /// Panics where something does not fit.
    pub fn must_fit_together(&self) {
        self.selectors_select();
        self.queries_are_selected_apart();
        self.ports_are_there();
        for (pod, container) in self.pods() {
            self.volumes_are_mounted(pod, container);
            self.pod_is_restricted(pod, container);
            self.quantities_are_in_order(container);
            self.references_are_there(pod, container);
        }
        self.nothing_is_secret();
    }

    fn selectors_select(&self) {
        let pod_labels = map(&self.template()["metadata"]["labels"]);
        let new_with_each_chart = pod_labels.keys().any(|label| label == "helm.sh/chart");
        assert!(!new_with_each_chart, "{}: a new version of the chart alone would restart the Pods", self.name);
        let deployment = self.only("Deployment");
        let pods = &deployment["spec"]["selector"]["matchLabels"];
        self.must_select(pods, pod_labels, "Deployment");
        let service = self.only("Service");
        self.must_select(&service["spec"]["selector"], pod_labels, "Service");
        for (kind, pointer, labels) in [
            ("PodDisruptionBudget", "/spec/selector/matchLabels", pod_labels),
            ("PodMonitor", "/spec/selector/matchLabels", pod_labels),
            ("ServiceMonitor", "/spec/selector/matchLabels", map(&service["metadata"]["labels"])),
        ] {
            for object in self.of(kind) {
                self.must_select(object.pointer(pointer).unwrap_or(&Value::Null), labels, kind);
            }
        }
        for policy in self.of("NetworkPolicy").iter().take(1) {
            self.must_select(&policy["spec"]["podSelector"]["matchLabels"], pod_labels, "NetworkPolicy");
        }
        for spread in list(&self.pod()["topologySpreadConstraints"]) {
            if spread["labelSelector"]["matchExpressions"].is_null() {
                self.must_select(&spread["labelSelector"]["matchLabels"], pod_labels, "topologySpreadConstraints");
            }
        }
        for object in &self.all {
            let labels = map(&object["metadata"]["labels"]);
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{}: {object}", self.name);
            assert!(labels.values().all(|value| value.as_str().is_some_and(|value| value.len() <= 63)), "{labels:?}");
            assert!(object["metadata"]["name"].as_str().unwrap().len() <= 63);
        }
    }

    /// Whoever takes workers by their labels takes no query, and the other way round.
    fn queries_are_selected_apart(&self) {
        let workers = map(&self.template()["metadata"]["labels"]);
        let policies = self.of("NetworkPolicy");
        for template in self.queries() {
            let labels = map(&template["metadata"]["labels"]);
            let selectors = [
                ("Deployment", "/spec/selector/matchLabels"),
                ("Service", "/spec/selector"),
                ("PodDisruptionBudget", "/spec/selector/matchLabels"),
                ("PodMonitor", "/spec/selector/matchLabels"),
            ];
            for (kind, pointer) in selectors {
                for object in self.of(kind) {
                    let selector = map(object.pointer(pointer).unwrap());
                    assert!(!is_selected(selector, labels), "{}: {kind} selects a query", self.name);
                }
            }
            if policies.is_empty() {
                continue;
            }
            let of = |labels| {
                let selectors = policies.iter().map(|policy| map(&policy["spec"]["podSelector"]["matchLabels"]));
                selectors.map(|selector| is_selected(selector, labels)).collect::<Vec<_>>()
            };
            assert_eq!((of(workers), of(labels)), (vec![true, false], vec![false, true]), "{}", self.name);
        }
        assert!(self.queries().is_empty() || self.queries().len() == self.of("CronJob").len());
        for job in self.of("CronJob") {
            let name = job["metadata"]["name"].as_str().unwrap();
            assert!(name.len() <= 52, "{name}: Kubernetes puts 11 characters behind it, of 63");
        }
    }

    /// Each pair of the selector is a label, and there is one.
    fn must_select(&self, selector: &Value, labels: &Map<String, Value>, what: &str) {
        let selector = map(selector);
        assert!(is_selected(selector, labels), "{}: {what}: {selector:?} does not select {labels:?}", self.name);
    }

    fn ports_are_there(&self) {
        let container = self.container();
        let named: BTreeSet<&str> =
            list(&container["ports"]).iter().map(|port| port["name"].as_str().unwrap()).collect();
        let mut used = Vec::new();
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            used.push((probe, &container[probe]["httpGet"]["port"]));
        }
        let service_ports = list(&self.only("Service")["spec"]["ports"]);
        used.extend(service_ports.iter().map(|port| ("Service", &port["targetPort"])));
        for policy in self.of("NetworkPolicy") {
            for rule in list(&policy["spec"]["ingress"]) {
                assert!(!list(&rule["from"]).is_empty(), "{}: everybody is let in", self.name);
                used.extend(list(&rule["ports"]).iter().map(|port| ("NetworkPolicy", &port["port"])));
            }
            for rule in list(&policy["spec"]["egress"]) {
                let ports = list(&rule["ports"]);
                assert!(!ports.is_empty(), "{}: to any port: {rule}", self.name);
                assert!(ports.iter().all(|port| (1..=65535).contains(&port["port"].as_u64().unwrap())), "{rule}");
            }
        }
        for monitor in self.of("PodMonitor") {
            let endpoints = list(&monitor["spec"]["podMetricsEndpoints"]);
            used.extend(endpoints.iter().map(|endpoint| ("PodMonitor", &endpoint["port"])));
        }
        for (what, port) in used {
            assert!(
                named.contains(port.as_str().unwrap()),
                "{}: {what} has port {port}, the container {named:?}",
                self.name
            );
        }
        for monitor in self.of("ServiceMonitor") {
            for endpoint in list(&monitor["spec"]["endpoints"]) {
                assert!(service_ports.iter().any(|port| port["name"] == endpoint["port"]), "{}: {endpoint}", self.name);
            }
        }
        for monitor in self.of("PodMonitor").into_iter().chain(self.of("ServiceMonitor")) {
            let text = monitor.to_string();
            let job = format!(r#""replacement":{},"targetLabel":"job""#, self.only("Deployment")["metadata"]["name"]);
            assert!(text.contains(&job), "{}: {text}", self.name);
        }
    }

    fn volumes_are_mounted(&self, pod: &Value, container: &Value) {
        let volumes: Vec<&str> = names(&pod["volumes"]);
        let mounts: Vec<&str> = names(&container["volumeMounts"]);
        let unique: BTreeSet<&str> = volumes.iter().copied().collect();
        assert_eq!(unique.len(), volumes.len(), "{}: a volume is there twice: {volumes:?}", self.name);
        assert_eq!(unique, mounts.iter().copied().collect(), "{}: volumes and mounts", self.name);
        let paths: BTreeSet<&str> =
            list(&container["volumeMounts"]).iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
        assert_eq!(paths.len(), mounts.len(), "{}: a path is there twice: {paths:?}", self.name);
        for mount in list(&container["volumeMounts"]) {
            // Of a query until its mail is sent.
            assert_eq!(mount["readOnly"] == true, mount["name"] != "results", "{}: {mount}", self.name);
        }
    }

    /// "Restricted" of the Pod Security Standards, rule by rule.
    fn pod_is_restricted(&self, pod: &Value, container: &Value) {
        let of_pod = &pod["securityContext"];
        let of_container = &container["securityContext"];
        assert_eq!(of_pod["runAsNonRoot"], true, "{}", self.name);
        assert_ne!(of_pod["runAsUser"], 0, "{}", self.name);
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault", "{}", self.name);
        assert_eq!(of_container["allowPrivilegeEscalation"], false, "{}", self.name);
        assert_eq!(of_container["readOnlyRootFilesystem"], true, "{}", self.name);
        assert_eq!(of_container["capabilities"], serde_json::json!({"drop": ["ALL"]}), "{}", self.name);
        assert_eq!(pod["automountServiceAccountToken"], false, "{}", self.name);
        for key in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[key].is_null(), "{}: {key}", self.name);
        }
        for volume in list(&pod["volumes"]) {
            let kinds: Vec<&String> = map(volume).keys().filter(|key| *key != "name").collect();
            assert!(
                ["configMap", "secret", "projected", "csi", "emptyDir", "persistentVolumeClaim"]
                    .contains(&kinds[0].as_str()),
                "{volume}"
            );
        }
    }

    fn quantities_are_in_order(&self, container: &Value) {
        let resources = &container["resources"];
        for name in ["cpu", "memory"] {
            let request =
                quantity(&resources["requests"][name]).unwrap_or_else(|| panic!("{}: {resources}", self.name));
            let limit = &resources["limits"][name];
            assert!(limit.is_null() || quantity(limit).unwrap() >= request, "{}: {resources}", self.name);
        }
        assert!(!resources["limits"]["memory"].is_null(), "{}", self.name);
    }

    /// Names that one object has for another are right where both are the chart's.
    fn references_are_there(&self, pod: &Value, container: &Value) {
        let config = &self.only("Deployment")["metadata"]["name"];
        let maps = self.of("ConfigMap");
        let in_folder = |name: &str| list(&pod["volumes"]).iter().find(|volume| volume["name"] == name);
        assert_eq!(&in_folder("config").unwrap()["configMap"]["name"], config, "{}", self.name);
        let map = maps.iter().find(|map| &map["metadata"]["name"] == config).unwrap();
        let mount = list(&container["volumeMounts"]).iter().find(|mount| mount["name"] == "config").unwrap();
        assert!(map["data"][mount["subPath"].as_str().unwrap()].is_string(), "{}: {mount}", self.name);
        let variable = list(&container["env"]).iter().find(|variable| variable["name"] == "OKTA_KAFKA_SOURCE_CONFIG");
        assert_eq!(variable.unwrap()["value"], mount["mountPath"], "{}", self.name);
        let account = &pod["serviceAccountName"];
        let made = self.of("ServiceAccount");
        assert!(account == "default" || made.iter().any(|made| &made["metadata"]["name"] == account), "{account}");
        assert!(made.iter().all(|made| made["automountServiceAccountToken"] == false));
        let variables = names(&container["env"]);
        let unique: BTreeSet<&str> = variables.iter().copied().collect();
        assert_eq!(unique.len(), variables.len(), "{}: a variable is there twice: {variables:?}", self.name);
        let replicas = self.only("Deployment")["spec"]["replicas"].as_u64().unwrap();
        for budget in self.of("PodDisruptionBudget") {
            let minimum = budget["spec"]["minAvailable"].as_u64().unwrap_or_default();
            assert!(minimum < replicas, "{}: no drain could ever end", self.name);
        }
    }

    fn nothing_is_secret(&self) {
        assert!(self.of("Secret").is_empty(), "{}: secrets come by reference only", self.name);
    }
}

fn is_selected(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    !selector.is_empty() && selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// The elements; none where it is absent.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn map(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no map"))
}

fn names(value: &Value) -> Vec<&str> {
    list(value).iter().map(|element| element["name"].as_str().unwrap()).collect()
}

/// A quantity of Kubernetes, as a number.
fn quantity(value: &Value) -> Option<f64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let factor = match &text[digits..] {
        "" => 1.0,
        "m" => 0.001,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    text[..digits].parse::<f64>().ok().map(|number| number * factor)
}
