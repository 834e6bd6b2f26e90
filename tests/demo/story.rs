//! The commands, and what must come of them.

use std::fs;
use std::time::Duration;

use crate::controller::{self, Ports};
use crate::plane::{Plane, Process, eventually};
use crate::shell::Shell;

const STEPS: &str = "examples/first-steps";

pub(crate) async fn tell(plane: &'static Plane) {
    let shell = Shell::of(plane.admin());
    shell.tell(
        "A control plane of its own: etcd, API server, scheduler and controller manager, on loopback. It has no machines:\n\
         pods are admitted, scheduled and bound, and stay Pending then.",
    );
    shell.run("kubectl version").ok(&["Server Version: v1."]);
    shell.run(&format!("kubectl apply -f {STEPS}/nodes.yaml")).ok(&["node/istanbul created"]);
    shell.run("kubectl taint nodes --all node.kubernetes.io/not-ready-").ok(&["node/virginia untainted"]);
    shell
        .run("kubectl get nodes -L topology.kubernetes.io/region,topology.kubernetes.io/zone")
        .ok(&["eu-central-1-ist-1a"]);

    let mut serve = install(plane, &shell).await;
    as_the_readme_says(&shell).await;
    first_policy(&shell).await;
    be_refused_and_helped(&shell).await;
    past_the_scheduler(&shell);
    look_back(&shell).await;
    break_the_glass(&shell).await;

    shell.tell("Away with it. The definitions and the policy stay, as `crds.keep` says.");
    shell.run("helm uninstall domicile -n domicile-system").ok(&["uninstalled"]);
    let status = serve.stop(Duration::from_secs(10));
    assert!(status.success(), "{status}\n{}", serve.output());
    shell.tell("Everything that was started here ends now.");
}

/// The chart, with the controller outside of the cluster, since there is no machine in it.
async fn install(plane: &'static Plane, shell: &Shell) -> Process {
    shell.tell(
        "The chart. There is no machine to run it on, so `webhook.url` leads to a process out here, which has the rights of\n\
         the chart's ServiceAccount by a token of it.",
    );
    let ports = Ports::free();
    let install = format!(
        "helm install domicile charts/domicile -n domicile-system --create-namespace --set {}",
        ports.setting()
    );
    shell.run(&install).ok(&["STATUS: deployed", "BREAK-GLASS"]);
    for line in [
        "kubectl config view --minify --flatten >domicile.kubeconfig",
        "kubectl config --kubeconfig=domicile.kubeconfig unset users",
        "kubectl config --kubeconfig=domicile.kubeconfig set-credentials domicile --token=\"$(kubectl create token domicile -n domicile-system)\"",
        "kubectl config --kubeconfig=domicile.kubeconfig set-context --current --user=domicile",
    ] {
        shell.run(line).ok(&[]);
    }
    let command = controller::command(&shell.file("domicile.kubeconfig"), "domicile-system", ports);
    let arguments = ports.arguments("domicile-system").join(" ");
    shell.show(&format!("KUBECONFIG=domicile.kubeconfig domicile {arguments} &"));
    let serve = Process::spawn("domicile", &command, &plane.folder().join("domicile.log"));
    eventually("enforcement is on", async || shell.ask("domicile probe").succeeded().then_some(())).await;
    shell.run("domicile probe").ok(&["enforcement is on"]);
    serve
}

/// What README.md and docs/install.md have people do in any cluster. It would only be in the way of the story.
async fn as_the_readme_says(shell: &Shell) {
    shell.ask(&format!("kubectl apply -f {STEPS}/penguins.yaml")).ok(&["penguins created"]);
    let run = "kubectl run penguin --image=none --annotations=domicile.dev/data-classification=penguins";
    eventually("a penguin is refused", async || {
        let asked = shell.ask(&format!("{run} --dry-run=server"));
        asked.said.contains("policy penguins").then_some(())
    })
    .await;
    shell.ask(run).refused(&[
        "Error from server (Forbidden): admission webhook \"workloads.domicile.dev\" denied the request: Pod \
         default/penguin carries penguins (annotation) and is refused:",
        "policy penguins: the pod can go to 3 nodes, none of them permitted",
    ]);
    eventually("the event of the penguin", async || {
        let told = shell.ask("kubectl get events --field-selector reason=ResidencyDenied");
        told.said.contains("pod/penguin").then_some(())
    })
    .await;
    shell
        .ask("kubectl get events -A --field-selector reportingComponent=domicile.dev/controller")
        .ok(&["pod/penguin"]);
    shell.ask(&format!("kubectl delete -f {STEPS}/penguins.yaml")).ok(&["deleted"]);
    // The verbs are for the cluster's own authorisation to give.
    shell
        .ask(
            "kubectl create clusterrole residency-officer --resource=residencypolicies.domicile.dev \
             --verb=declassify,except,relocate",
        )
        .ok(&["residency-officer created"]);
    shell
        .ask("kubectl create clusterrolebinding residency-officers --clusterrole=residency-officer --group=data-protection")
        .ok(&[]);
    let may = "kubectl auth can-i declassify residencypolicies.domicile.dev/eu-personal --as=ann";
    shell.ask(&format!("{may} --as-group=data-protection")).ok(&["yes"]);
    shell.ask(may).refused(&["no"]);
}

async fn first_policy(shell: &Shell) {
    shell.tell("What kind of data may be where, and who has such data.");
    shell.run(&format!("cat {STEPS}/policy.yaml")).ok(&["kind: ResidencyPolicy"]);
    shell.run(&format!("kubectl apply -f {STEPS}/policy.yaml")).ok(&["eu-personal created"]);
    shell.run("kubectl create namespace shop").ok(&[]);
    // A watch brings the policy within milliseconds; whoever types is slower.
    let classify = "kubectl annotate namespace shop domicile.dev/data-classification=personal";
    let dry = format!("{classify} --dry-run=server");
    eventually("the policy is in force", async || (!shell.ask(&dry).said.contains("Warning")).then_some(()))
        .await;
    shell.run(classify).ok(&["namespace/shop annotated"]);
    eventually("the classification is known", async || {
        let asked = shell.ask(&format!("kubectl apply --dry-run=server -f {STEPS}/checkout.yaml"));
        asked.said.contains("policy eu-personal").then_some(())
    })
    .await;
    eventually("the default account", async || {
        shell.ask("kubectl get serviceaccount default -n shop").succeeded().then_some(())
    })
    .await;
}

/// The message of the refusal holds the change, and with it the Deployment is admitted.
async fn be_refused_and_helped(shell: &Shell) {
    shell.tell("A Deployment that asks for Frankfurt's region, and would get Istanbul too.");
    let refused = shell.run(&format!("kubectl apply -f {STEPS}/checkout.yaml")).refused(&[
        "Error from server (Forbidden)",
        "workloads.domicile.dev",
        "policy eu-personal",
        "istanbul",
    ]);
    let (_, fix) = refused.split_once("To be admitted, merge this into the manifest:\n").unwrap();
    fs::write(shell.file("fix.yaml"), fix).unwrap();

    shell.tell("The last lines of the message say what to write instead. They are in fix.yaml now, as they stand there.");
    let merge = format!(
        "kubectl patch --local -f {STEPS}/checkout.yaml --type=merge --patch-file=fix.yaml -o yaml | kubectl apply -f -"
    );
    shell.run(&merge).ok(&["deployment.apps/checkout created"]);
    let bound = "kubectl get pods -n shop -l app=checkout -o jsonpath='{.items[*].spec.nodeName}'";
    let nodes = eventually("both pods are bound", async || {
        let nodes = shell.ask(bound).ok(&[]);
        (nodes.split_whitespace().count() == 2).then_some(nodes)
    })
    .await;
    assert_eq!(nodes, "frankfurt frankfurt");
    shell.tell("It is admitted, and the scheduler puts its pods where they may be.");
    shell.run("kubectl get pods -n shop -o wide").ok(&["frankfurt"]);
}

fn past_the_scheduler(shell: &Shell) {
    shell.tell(
        "Another pod is admitted for Frankfurt. Then somebody binds it to Virginia by hand, past the scheduler, and writes\n\
         Frankfurt's labels on the binding.",
    );
    shell.run(&format!("kubectl apply -f {STEPS}/by-hand.yaml")).ok(&["pod/by-hand created"]);
    shell.run(&format!("cat {STEPS}/binding.json")).ok(&["virginia"]);
    for path in ["pods/by-hand/binding", "bindings"] {
        let bind = format!("kubectl create --raw /api/v1/namespaces/shop/{path} -f {STEPS}/binding.json");
        shell.run(&bind).refused(&["bindings.domicile.dev", "virginia (us-east-1a, US)"]);
    }
    let node = shell.ask("kubectl get pod by-hand -n shop -o jsonpath='{.spec.nodeName}'").ok(&[]);
    assert_eq!(node, "");
}

async fn look_back(shell: &Shell) {
    shell.tell("What was refused is told in events, where those who own it look.");
    let events = "kubectl get events -n shop --field-selector reason=ResidencyDenied";
    eventually("two events", async || {
        let said = shell.ask(events).said;
        (said.contains("deployment/checkout") && said.contains("pod/by-hand")).then_some(())
    })
    .await;
    shell.run(events).ok(&["ResidencyDenied"]);

    shell.tell("How the policy fares: what runs is judged on and on.");
    eventually("the policy's status", async || {
        let fares = shell.ask("kubectl get residencypolicy eu-personal");
        fares.said.contains("True").then_some(())
    })
    .await;
    shell.run("kubectl get residencypolicies").ok(&["eu-personal"]);

    shell.tell("What would a stricter policy break? Ask before you apply it: a dry run changes nothing.");
    shell.run(&format!("kubectl apply --dry-run=server -f {STEPS}/stricter.yaml")).ok(&[
        "Warning: ",
        "would break policy eu-personal",
        "configured (server dry run)",
    ]);
}

/// As README.md and the notes of the chart say it.
async fn break_the_glass(shell: &Shell) {
    shell.tell("Break-glass: one command takes all enforcement off, and one brings it back.");
    shell
        .run("kubectl delete validatingwebhookconfiguration,mutatingwebhookconfiguration domicile")
        .ok(&["deleted"]);
    // The API server may ask for a moment longer.
    eventually("enforcement is off", async || (!shell.ask("domicile probe").succeeded()).then_some(())).await;
    shell.run("domicile probe").refused(&["enforcement is off"]);
    shell
        .run("helm upgrade domicile charts/domicile -n domicile-system --reset-then-reuse-values >/dev/null")
        .ok(&[]);
    eventually("enforcement is on", async || shell.ask("domicile probe").succeeded().then_some(())).await;
    shell.run("domicile probe").ok(&["enforcement is on"]);
}
