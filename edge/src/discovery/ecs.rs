//! Tasks of services of ECS, by its JSON API; and of the instances that tasks run on, what EC2 knows.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use model::{Labels, LabelsBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::aws::{AwsTargetsError, PAGES_MAX, TIMEOUT, address_of, set_tags};
use super::ec2::{Ec2, Host};
use crate::aws::{AwsRequest, AwsService, refusal_in_json};

const CONTENT: &str = "application/x-amz-json-1.1";
/// So many ARNs are listed at once, and clusters, tasks and instances described: ECS takes no more.
const PAGE: usize = 100;
/// The same for services.
const SERVICES_PAGE: usize = 10;
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// An operation: its name, and what says that it is meant.
type Operation = (&'static str, &'static str);

macro_rules! operation {
    ($name:literal) => {
        ($name, concat!("AmazonEC2ContainerServiceV20141113.", $name))
    };
}

const LIST_CLUSTERS: Operation = operation!("ListClusters");
const DESCRIBE_CLUSTERS: Operation = operation!("DescribeClusters");
const LIST_SERVICES: Operation = operation!("ListServices");
const DESCRIBE_SERVICES: Operation = operation!("DescribeServices");
const LIST_TASKS: Operation = operation!("ListTasks");
const DESCRIBE_TASKS: Operation = operation!("DescribeTasks");
const DESCRIBE_INSTANCES: Operation = operation!("DescribeContainerInstances");

/// The tasks of a region's services.
#[derive(Debug)]
pub(super) struct Ecs {
    service: AwsService,
    ec2: Ec2,
    /// So many requests are under way at once.
    turns: Semaphore,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cluster {
    cluster_arn: String,
    cluster_name: String,
    tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Service {
    service_arn: String,
    service_name: String,
    cluster_arn: String,
    status: String,
    tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Task {
    task_arn: String,
    /// `service:NAME` of those that a service runs.
    group: String,
    task_definition_arn: String,
    launch_type: String,
    availability_zone: String,
    desired_status: String,
    last_status: String,
    health_status: String,
    platform_family: String,
    platform_version: String,
    container_instance_arn: String,
    attachments: Vec<Attachment>,
    tags: Vec<Tag>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    r#type: String,
    details: Vec<Detail>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerInstance {
    container_instance_arn: String,
    ec2_instance_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    key: String,
    value: String,
}

/// What is known of a cluster.
struct Known {
    cluster: Option<Cluster>,
    services: BTreeMap<String, Service>,
    tasks: Vec<Task>,
    /// IDs of instances of EC2 by the ARNs that they have in ECS.
    instances: BTreeMap<String, String>,
}

/// What is known of machines and networks.
struct Machines {
    region: String,
    /// By the IDs of instances.
    hosts: BTreeMap<String, Host>,
    /// Public addresses by the IDs of network interfaces.
    public: BTreeMap<String, String>,
}

impl Ecs {
    /// Through services that are ECS and EC2, with so many requests at once.
    pub(super) fn new(service: AwsService, ec2: Ec2, requests_at_once: usize) -> Self {
        Self { service, ec2, turns: Semaphore::new(requests_at_once.clamp(1, Semaphore::MAX_PERMITS)) }
    }

    /// The targets that tasks of services are, at one port, in some clusters or in all. Tasks without an address are none.
    ///
    /// # Errors
    /// If AWS does not say all of them.
    pub(super) async fn targets(
        &self,
        clusters: &[String],
        port: u16,
    ) -> Result<Vec<Labels>, AwsTargetsError> {
        let clusters = match clusters {
            [] => self.list(LIST_CLUSTERS, json!({}), "clusterArns").await?,
            given => given.to_vec(),
        };
        let described: Vec<Cluster> =
            self.describe(DESCRIBE_CLUSTERS, None, "clusters", &clusters, PAGE).await?;
        let known = clusters.iter().map(|cluster| {
            let is_it = |known: &&Cluster| known.cluster_arn == *cluster || known.cluster_name == *cluster;
            self.cluster(cluster, described.iter().find(is_it).cloned())
        });
        let known = try_join_all(known).await?;
        let machines = self.machines(&known).await?;
        let targets = known
            .iter()
            .flat_map(|known| known.tasks.iter().filter_map(|task| known.target(task, &machines, port)));
        Ok(targets.collect())
    }

    async fn cluster(&self, name: &str, cluster: Option<Cluster>) -> Result<Known, AwsTargetsError> {
        let services = self.list(LIST_SERVICES, json!({"cluster": name}), "serviceArns").await?;
        if services.is_empty() {
            // what runs without a service is no target
            let (services, instances) = (BTreeMap::new(), BTreeMap::new());
            return Ok(Known { cluster, services, tasks: Vec::new(), instances });
        }
        let tasks = self.list(LIST_TASKS, json!({"cluster": name}), "taskArns").await?;
        let services =
            self.describe(DESCRIBE_SERVICES, Some(name), "services", &services, SERVICES_PAGE).await?;
        let services: BTreeMap<_, _> = services
            .into_iter()
            .map(|service: Service| (format!("service:{}", service.service_name), service))
            .collect();
        let mut tasks: Vec<Task> = self.describe(DESCRIBE_TASKS, Some(name), "tasks", &tasks, PAGE).await?;
        tasks.retain(|task| services.contains_key(&task.group));
        let instances = self.instances(name, &tasks).await?;
        Ok(Known { cluster, services, tasks, instances })
    }

    async fn instances(
        &self,
        cluster: &str,
        tasks: &[Task],
    ) -> Result<BTreeMap<String, String>, AwsTargetsError> {
        let arns: BTreeSet<_> = tasks.iter().map(|task| task.container_instance_arn.clone()).collect();
        let arns: Vec<_> = arns.into_iter().filter(|arn| !arn.is_empty()).collect();
        let found = self.describe(DESCRIBE_INSTANCES, Some(cluster), "containerInstances", &arns, PAGE).await;
        let found: Vec<ContainerInstance> =
            unless_needed(found, tasks.iter().any(Task::is_known_by_its_host))?;
        Ok(found.into_iter().map(|found| (found.container_instance_arn, found.ec2_instance_id)).collect())
    }

    /// What EC2 knows of where tasks run.
    async fn machines(&self, known: &[Known]) -> Result<Machines, AwsTargetsError> {
        let hosts: BTreeSet<_> = known.iter().flat_map(|known| known.instances.values().cloned()).collect();
        let tasks = || known.iter().flat_map(|known| &known.tasks);
        let interfaces: BTreeSet<_> =
            tasks().filter_map(|task| task.interface("networkInterfaceId")).map(str::to_owned).collect();
        let found = self.ec2.hosts(hosts.into_iter().collect()).await;
        let hosts = unless_needed(found, tasks().any(Task::is_known_by_its_host))?;
        let public = unless_needed(self.ec2.public_addresses(interfaces.into_iter().collect()).await, false)?;
        Ok(Machines { region: self.service.region().await?, hosts, public })
    }

    /// All ARNs of a list.
    async fn list(
        &self,
        operation: Operation,
        mut asked: Value,
        field: &str,
    ) -> Result<Vec<String>, AwsTargetsError> {
        asked["maxResults"] = PAGE.into();
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut page = self.ask(operation, &asked).await?;
            all.extend(field_of::<Vec<String>>(operation, &mut page, field)?);
            match page["nextToken"].take() {
                Value::String(token) if !token.is_empty() => asked["nextToken"] = token.into(),
                _ => return Ok(all),
            }
        }
        Err(AwsTargetsError::Endless { action: operation.0 })
    }

    /// What ARNs stand for, in any order, with tags; so many are asked for at once.
    async fn describe<T: DeserializeOwned>(
        &self,
        operation: Operation,
        cluster: Option<&str>,
        field: &str,
        arns: &[String],
        at_once: usize,
    ) -> Result<Vec<T>, AwsTargetsError> {
        let described = arns.chunks(at_once).map(async |arns| {
            let mut asked = json!({field: arns});
            if operation != DESCRIBE_INSTANCES {
                asked["include"] = json!(["TAGS"]);
            }
            if let Some(cluster) = cluster {
                asked["cluster"] = cluster.into();
            }
            let mut answer = self.ask(operation, &asked).await?;
            field_of::<Vec<T>>(operation, &mut answer, field)
        });
        Ok(try_join_all(described).await?.into_iter().flatten().collect())
    }

    async fn ask(&self, (action, target): Operation, asked: &Value) -> Result<Value, AwsTargetsError> {
        // it is never closed
        let _turn = self.turns.acquire().await;
        let asked = AwsRequest {
            content_type: CONTENT,
            target: Some(target),
            body: asked.to_string().into_bytes(),
            bytes_max: ANSWER_BYTES_MAX,
            timeout: TIMEOUT,
        };
        let (status, answer) = self.service.ask(asked).await?;
        if !status.is_success() {
            let answer = serde_json::from_slice(&answer).unwrap_or_default();
            return Err(AwsTargetsError::Refused { action, status, reason: refusal_in_json(&answer) });
        }
        serde_json::from_slice(&answer).map_err(|source| AwsTargetsError::Json { action, source })
    }
}

/// What is found where it can be: who does without it need not give the right to it.
fn unless_needed<T: Default>(
    found: Result<T, AwsTargetsError>,
    is_needed: bool,
) -> Result<T, AwsTargetsError> {
    match found {
        Err(error @ AwsTargetsError::Refused { .. }) if !is_needed => {
            tracing::debug!(%error, "not all is known of tasks");
            Ok(T::default())
        }
        found => found,
    }
}

fn field_of<T: DeserializeOwned>(
    (action, _): Operation,
    answer: &mut Value,
    field: &str,
) -> Result<T, AwsTargetsError> {
    serde_json::from_value(answer[field].take()).map_err(|source| AwsTargetsError::Json { action, source })
}

impl Task {
    /// What its network interface has, if it has one of its own.
    fn interface(&self, detail: &str) -> Option<&str> {
        let attached =
            self.attachments.iter().find(|attached| attached.r#type == "ElasticNetworkInterface")?;
        let detail = attached.details.iter().find(|found| found.name == detail)?;
        Some(&detail.value)
    }

    fn has_interface(&self) -> bool {
        self.attachments.iter().any(|attached| attached.r#type == "ElasticNetworkInterface")
    }

    /// Whether its address is that of the instance that it runs on.
    fn is_known_by_its_host(&self) -> bool {
        !self.has_interface() && !self.container_instance_arn.is_empty()
    }
}

impl Known {
    /// The labels of a task, if it has an address.
    fn target(&self, task: &Task, machines: &Machines, port: u16) -> Option<Labels> {
        let service = self.services.get(&task.group)?;
        let host_id = self.instances.get(&task.container_instance_arn).map_or("", String::as_str);
        let host = machines.hosts.get(host_id);
        let of_host = |field: fn(&Host) -> &str| host.map_or("", field);
        let (mode, address, subnet, public) = match task.has_interface() {
            true => {
                let id = task.interface("networkInterfaceId");
                let public = id.and_then(|id| machines.public.get(id)).map_or("", String::as_str);
                let subnet = task.interface("subnetId").unwrap_or_default();
                ("awsvpc", task.interface("privateIPv4Address").unwrap_or_default(), subnet, public)
            }
            false => {
                let public = of_host(|host| &host.public_ip);
                ("bridge", of_host(|host| &host.private_ip), of_host(|host| &host.subnet_id), public)
            }
        };
        if address.is_empty() {
            return None;
        }
        let mut labels = LabelsBuilder::default();
        labels.set("__address__", address_of(address, port));
        let cluster = self.cluster.as_ref();
        for (name, value) in [
            ("availability_zone", &*task.availability_zone),
            ("cluster", cluster.map_or("", |cluster| &cluster.cluster_name)),
            ("cluster_arn", &service.cluster_arn),
            ("container_instance_arn", &task.container_instance_arn),
            ("desired_status", &task.desired_status),
            ("ec2_instance_id", host_id),
            ("ec2_instance_private_ip", of_host(|host| &host.private_ip)),
            ("ec2_instance_public_ip", of_host(|host| &host.public_ip)),
            ("ec2_instance_type", of_host(|host| &host.instance_type)),
            ("health_status", &task.health_status),
            ("ip_address", address),
            ("last_status", &task.last_status),
            ("launch_type", &task.launch_type),
            ("network_mode", mode),
            ("platform_family", &task.platform_family),
            ("platform_version", &task.platform_version),
            ("public_ip", public),
            ("region", &machines.region),
            ("service", &service.service_name),
            ("service_arn", &service.service_arn),
            ("service_status", &service.status),
            ("subnet_id", subnet),
            ("task_arn", &task.task_arn),
            ("task_definition", &task.task_definition_arn),
            ("task_group", &task.group),
        ] {
            labels.set(format!("__meta_ecs_{name}"), value);
        }
        let tags_of_cluster = cluster.map_or(&[][..], |cluster| &cluster.tags);
        for (of, tags) in [("cluster", tags_of_cluster), ("service", &service.tags), ("task", &task.tags)] {
            let tags = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()));
            set_tags(&mut labels, &format!("__meta_ecs_tag_{of}_"), tags);
        }
        if let Some(host) = host {
            let tags = host.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            set_tags(&mut labels, "__meta_ecs_tag_ec2_", tags);
        }
        Some(labels.build())
    }
}
