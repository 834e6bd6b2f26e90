//! Lists where maps belong. The typed views would read a list as a map's fields in order of their declaration, which no
//! API server does.

use serde_json::Value;

/// Fields that are maps wherever they stand in the kinds that are read.
const MAPS: [&str; 22] = [
    "affinity",
    "claimRef",
    "csi",
    "dataSource",
    "dataSourceRef",
    "emptyDir",
    "ephemeral",
    "jobTemplate",
    "metadata",
    "namespaceSelector",
    "nodeAffinity",
    "nodeSelector",
    "objectSelector",
    "persistentVolumeClaim",
    "required",
    "source",
    "spec",
    "status",
    "target",
    "template",
    "volumeClaimTemplate",
    "volumeSnapshotRef",
];

/// The path of the first list that stands where a map belongs: in one of those fields, or directly in another list.
pub(super) fn misplaced_list(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let here = MAPS.contains(&key.as_str()) && value.is_array();
            // The affinity of pods to nodes is a map, that of pods to pods is a list of the same name.
            let here = here
                || key == "nodeAffinity"
                    && value
                        .get("requiredDuringSchedulingIgnoredDuringExecution")
                        .is_some_and(Value::is_array);
            if here {
                return Some(key.clone());
            }
            misplaced_list(value).map(|rest| {
                let dot = if rest.starts_with('[') { "" } else { "." };
                format!("{key}{dot}{rest}")
            })
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            if item.is_array() {
                return Some(format!("[{index}]"));
            }
            misplaced_list(item).map(|rest| format!("[{index}].{rest}"))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::misplaced_list;

    #[test]
    fn lists_where_maps_belong_are_found() {
        for (value, path) in [
            (json!({"spec": []}), Some("spec")),
            (json!({"spec": {"template": {"spec": ["x"]}}}), Some("spec.template.spec")),
            (json!({"spec": {"tolerations": [{"key": "a"}, ["b"]]}}), Some("spec.tolerations[1]")),
            (json!({"spec": {"volumes": [{"csi": ["d"]}]}}), Some("spec.volumes[0].csi")),
            (
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}),
                Some("nodeAffinity"),
            ),
            (json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}), None),
            (json!({"metadata": {"ownerReferences": [{"kind": "Node"}]}, "spec": null}), None),
            (json!({"status": {"conditions": []}}), None),
        ] {
            assert_eq!(misplaced_list(&value).as_deref(), path, "{value}");
        }
    }
}
