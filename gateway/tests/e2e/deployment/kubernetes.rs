//! `deploy/k8s`: every name in it means something, and the configuration in it is accepted.
use std::collections::BTreeSet;

use serde_json::Value;

use super::{assert_pinned, check, drain_s, files_below, secrets_of, shipped, words, yaml};
use crate::support::Place;

/// Where each kind lives in Kubernetes 1.25 and later.
const KINDS: [(&str, &str); 10] = [
    ("Namespace", "v1"),
    ("ConfigMap", "v1"),
    ("Secret", "v1"),
    ("Service", "v1"),
    ("Deployment", "apps/v1"),
    ("Job", "batch/v1"),
    ("PodDisruptionBudget", "policy/v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
    ("NetworkPolicy", "networking.k8s.io/v1"),
    ("HTTPRoute", "gateway.networking.k8s.io/v1"),
];

struct Manifests(Vec<Value>);

impl Manifests {
    fn read() -> Self {
        let files = files_below(&shipped("deploy/k8s"), ".yaml");
        Self(
            files
                .iter()
                .flat_map(|path| yaml(&std::fs::read_to_string(path).expect("a file")))
                .collect(),
        )
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0
            .iter()
            .filter(move |manifest| manifest["kind"] == kind)
    }

    #[track_caller]
    fn named<'a>(&'a self, kind: &str, name: &Value) -> &'a Value {
        let found = self
            .of(kind)
            .find(|manifest| manifest["metadata"]["name"] == *name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// What makes pods, and the pods that it makes.
    fn pods(&self) -> impl Iterator<Item = (&Value, &Value)> {
        let makers = self.of("Deployment").chain(self.of("Job"));
        makers.map(|maker| (maker, &maker["spec"]["template"]["spec"]))
    }

    /// Checks that a selector chooses the pods of the deployment.
    #[track_caller]
    fn assert_selects(&self, labels: &Value) {
        let deployment = self.of("Deployment").next().expect("a deployment");
        let pod = &deployment["spec"]["template"]["metadata"]["labels"];
        let labels = labels.as_object().expect("labels");
        assert!(
            !labels.is_empty() && labels.iter().all(|(name, value)| pod[name] == *value),
            "{labels:?}"
        );
        let job = &self.of("Job").next().expect("a job")["spec"]["template"]["metadata"]["labels"];
        assert!(
            !labels.iter().all(|(name, value)| job[name] == *value),
            "it selects the job as well"
        );
    }
}

fn only(list: &Value) -> &Value {
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 1);
    &list[0]
}

#[test]
fn manifests_are_whole_and_no_two_are_one() {
    let manifests = Manifests::read();
    let mut seen = BTreeSet::new();
    for manifest in &manifests.0 {
        let (kind, name) = (
            manifest["kind"].as_str().expect("a kind"),
            manifest["metadata"]["name"].as_str().expect("a name"),
        );
        let known = KINDS
            .iter()
            .find(|(known, _)| *known == kind)
            .unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(manifest["apiVersion"], known.1, "{kind} {name}");
        let namespace = if kind == "Namespace" {
            &Value::Null
        } else {
            &manifests.of("Namespace").next().expect("one")["metadata"]["name"]
        };
        assert_eq!(
            manifest["metadata"]["namespace"], *namespace,
            "{kind} {name}"
        );
        assert!(seen.insert((kind, name)), "{kind} {name} stands twice");
    }
    for (kind, _) in KINDS {
        assert!(manifests.of(kind).next().is_some(), "{kind}");
    }
}

#[tokio::test]
async fn pods_have_a_configuration_that_is_accepted_and_each_secret_that_it_names() {
    let manifests = Manifests::read();
    for (maker, pod) in manifests.pods() {
        let container = only(&pod["containers"]);
        let args = words(&container["args"]);
        let (words, path) = args.split_at(
            args.iter()
                .position(|word| *word == "--config")
                .expect("a configuration"),
        );
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        let volume = |path: &str| {
            let mount = mounts.iter().find(|mount| {
                path.strip_prefix(mount["mountPath"].as_str().expect("a path"))
                    .is_some_and(|rest| rest.starts_with('/'))
            });
            let mount = mount.unwrap_or_else(|| panic!("nothing is mounted at {path}"));
            assert_eq!(mount["readOnly"], true);
            let volumes = pod["volumes"].as_array().expect("volumes");
            volumes
                .iter()
                .find(|volume| volume["name"] == mount["name"])
                .expect("a volume")
        };
        let file = path[1].rsplit('/').next().expect("a name");
        let config = manifests.named("ConfigMap", &volume(path[1])["configMap"]["name"]);
        let config = config["data"][file].as_str().expect("the configuration");
        check(config).await;
        let secret = manifests.named(
            "Secret",
            &volume("/etc/drawbridge/secrets/any")["secret"]["secretName"],
        );
        let given: BTreeSet<_> = secret["stringData"]
            .as_object()
            .expect("secrets")
            .keys()
            .cloned()
            .collect();
        assert_eq!(given, secrets_of(config), "{}", maker["metadata"]["name"]);
        Place::new().run(&[words, &["--help"]].concat()).await.ok();
        if maker["kind"] == "Deployment" {
            assert!(
                pod["terminationGracePeriodSeconds"]
                    .as_u64()
                    .expect("seconds")
                    > drain_s(config)
            );
            let config: toml::Table = config.parse().expect("TOML");
            for (name, key) in [
                ("players", "listen"),
                ("admin", "admin"),
                ("probes", "probes"),
            ] {
                let port = container["ports"]
                    .as_array()
                    .expect("ports")
                    .iter()
                    .find(|port| port["name"] == name);
                let listen = config["http"][key].as_str().expect("an address");
                assert_eq!(
                    listen,
                    format!("0.0.0.0:{}", port.expect("a port")["containerPort"])
                );
            }
        }
    }
}

#[test]
fn pods_may_do_as_little_as_the_strictest_rules_of_kubernetes_allow() {
    let manifests = Manifests::read();
    for (maker, pod) in manifests.pods() {
        let container = only(&pod["containers"]);
        let image = container["image"].as_str().expect("an image");
        assert_pinned(image);
        assert!(
            image.ends_with(&format!("/drawbridge:{}", env!("CARGO_PKG_VERSION"))),
            "{image}"
        );
        assert_eq!(
            pod["automountServiceAccountToken"], false,
            "{}",
            maker["kind"]
        );
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"],
            "RuntimeDefault"
        );
        let context = &container["securityContext"];
        assert_eq!(
            (
                &context["allowPrivilegeEscalation"],
                &context["readOnlyRootFilesystem"]
            ),
            (&false.into(), &true.into())
        );
        assert_eq!(words(&context["capabilities"]["drop"]), ["ALL"]);
        assert!(
            container["resources"]["requests"]["cpu"].is_string()
                && container["resources"]["limits"]["memory"].is_string()
        );
    }
}

#[test]
fn services_probes_budgets_and_policies_mean_the_gateways() {
    let manifests = Manifests::read();
    let deployment = manifests.of("Deployment").next().expect("a deployment");
    let container = only(&deployment["spec"]["template"]["spec"]["containers"]);
    let ports: Vec<_> = container["ports"]
        .as_array()
        .expect("ports")
        .iter()
        .map(|port| &port["name"])
        .collect();
    for (probe, path) in [
        ("startupProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
    ] {
        let get = &container[probe]["httpGet"];
        assert_eq!(
            (&get["path"], &get["port"]),
            (&path.into(), &"probes".into()),
            "{probe}"
        );
    }
    manifests.assert_selects(&deployment["spec"]["selector"]["matchLabels"]);
    for service in manifests.of("Service") {
        manifests.assert_selects(&service["spec"]["selector"]);
        assert!(ports.contains(&&only(&service["spec"]["ports"])["targetPort"]));
    }
    for budget in manifests.of("PodDisruptionBudget") {
        manifests.assert_selects(&budget["spec"]["selector"]["matchLabels"]);
    }
    for policy in manifests.of("NetworkPolicy") {
        manifests.assert_selects(&policy["spec"]["podSelector"]["matchLabels"]);
        let rules = policy["spec"]["ingress"].as_array().expect("rules");
        assert!(
            rules
                .iter()
                .all(|rule| ports.contains(&&only(&rule["ports"])["port"]))
        );
    }
    for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
        .as_array()
        .expect("constraints")
    {
        manifests.assert_selects(&spread["labelSelector"]["matchLabels"]);
    }
    for scaler in manifests.of("HorizontalPodAutoscaler") {
        let target = &scaler["spec"]["scaleTargetRef"];
        assert_eq!(target["kind"], "Deployment");
        manifests.named("Deployment", &target["name"]);
        assert!(
            scaler["spec"]["minReplicas"].as_u64() >= Some(2),
            "one gateway is none during a rollout"
        );
        assert!(
            deployment["spec"]["replicas"].is_null(),
            "the autoscaler says how many"
        );
    }
}

#[test]
fn a_route_leads_to_the_players_port_and_removes_the_identity_header() {
    let manifests = Manifests::read();
    let policy = manifests.of("NetworkPolicy").next().expect("a policy");
    let let_in = &policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"];
    for route in manifests.of("HTTPRoute") {
        assert_eq!(
            only(&route["spec"]["parentRefs"])["namespace"],
            let_in["kubernetes.io/metadata.name"]
        );
        for rule in route["spec"]["rules"].as_array().expect("rules") {
            let filters = rule["filters"].as_array().expect("filters");
            let removed = filters
                .iter()
                .flat_map(|filter| words(&filter["requestHeaderModifier"]["remove"]));
            assert_eq!(
                removed.collect::<Vec<_>>(),
                ["X-User-Id"],
                "each rule clears the default of identity.header"
            );
            let backend = only(&rule["backendRefs"]);
            let service = manifests.named("Service", &backend["name"]);
            assert_eq!(only(&service["spec"]["ports"])["port"], backend["port"]);
            assert_eq!(only(&service["spec"]["ports"])["targetPort"], "players");
        }
    }
}
