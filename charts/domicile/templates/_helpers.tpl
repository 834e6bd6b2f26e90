{{- define "domicile.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "domicile.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "domicile.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "domicile.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "domicile.selectorLabels" -}}
app.kubernetes.io/name: {{ include "domicile.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "domicile.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "domicile.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: domicile
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "domicile.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "domicile.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "domicile.tlsSecret" -}}
{{- default (printf "%s-tls" (include "domicile.fullname" .)) .Values.tls.secretName }}
{{- end }}

{{- define "domicile.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* What listens on a port: an IPv6 address stands in brackets. */}}
{{- define "domicile.listen" -}}
{{- if contains ":" .address }}[{{ .address }}]{{ else }}{{ .address }}{{ end }}:{{ .port }}
{{- end }}

{{/* A label selector as one line, as kubectl takes it. */}}
{{- define "domicile.selector" -}}
{{- $parts := list }}
{{- range $key, $value := .matchLabels }}
{{- $parts = append $parts (printf "%s=%s" $key $value) }}
{{- end }}
{{- range .matchExpressions }}
{{- if eq .operator "In" }}
{{- $parts = append $parts (printf "%s in (%s)" .key (join "," .values)) }}
{{- else if eq .operator "NotIn" }}
{{- $parts = append $parts (printf "%s notin (%s)" .key (join "," .values)) }}
{{- else if eq .operator "Exists" }}
{{- $parts = append $parts .key }}
{{- else }}
{{- $parts = append $parts (printf "!%s" .key) }}
{{- end }}
{{- end }}
{{- join "," $parts }}
{{- end }}

{{/* Arguments that are the same wherever the controller runs, as a list. */}}
{{- define "domicile.settings" -}}
{{- range .Values.classification.annotationKeys }}
- --classification-key={{ . }}
{{- end }}
- --ungoverned={{ .Values.classification.ungoverned }}
{{- if not (kindIs "invalid" .Values.classification.required.namespaceSelector) }}
- {{ printf "--require-classification=%s" (include "domicile.selector" .Values.classification.required.namespaceSelector) | quote }}
{{- end }}
{{- with .Values.cluster.jurisdiction }}
- --cluster-jurisdiction={{ . }}
{{- end }}
{{- with .Values.cluster.providerJurisdiction }}
- --cluster-provider-jurisdiction={{ . }}
{{- end }}
- --audit-interval={{ .Values.audit.interval }}
- --reports-limit={{ ternary (int .Values.reports.limit) 0 .Values.reports.enabled }}
- --lease={{ include "domicile.fullname" . }}
{{- end }}

{{/* Settings that contradict each other, found before anything is installed. */}}
{{- define "domicile.validate" -}}
{{- if and .Values.tls.caBundle (ne .Values.tls.mode "existingSecret") }}
{{- fail (printf "tls.caBundle is for tls.mode existingSecret: in mode %s the caBundle is written by somebody else, and an upgrade would overwrite it. Leave it empty" .Values.tls.mode) }}
{{- end }}
{{- if and (eq .Values.tls.mode "existingSecret") (not .Values.tls.secretName) (not .Values.webhook.url) }}
{{- fail "tls.mode existingSecret needs tls.secretName: the Secret with tls.crt and tls.key" }}
{{- end }}
{{- if and (eq .Values.tls.mode "certManager") .Values.webhook.url }}
{{- fail "tls.mode certManager has no use with webhook.url: the controller is outside and mounts no Secret. Take selfManaged, or existingSecret with tls.caBundle" }}
{{- end }}
{{- if and (not .Values.webhook.url) (eq (int .Values.webhook.port) (int .Values.metrics.port)) }}
{{- fail (printf "webhook.port and metrics.port are both %d: one of them must be another" (int .Values.metrics.port)) }}
{{- end }}
{{- if and (not (kindIs "invalid" .Values.podDisruptionBudget.maxUnavailable)) (not (kindIs "invalid" .Values.podDisruptionBudget.minAvailable)) }}
{{- fail "podDisruptionBudget takes minAvailable or maxUnavailable, not both: set the other one to null" }}
{{- end }}
{{- end }}

{{/* Where `helm test` asks: default, or, where the release itself and so no judgement is, the other one that every cluster has. */}}
{{- define "domicile.testNamespace" -}}
{{- default (ternary "kube-public" "default" (eq .Release.Namespace "default")) .Values.test.namespace }}
{{- end }}

{{/*
An entry of `policies`, as a list of {name, spec}: itself, or what the pack of that name holds, with the fields of `spec`
in the place of the pack's.
*/}}
{{- define "domicile.policies" -}}
{{- $root := index . 0 }}
{{- $entry := index . 1 }}
{{- $policies := list }}
{{- if $entry.pack }}
{{- $text := $root.Files.Get (printf "files/packs/%s.yaml" $entry.pack) }}
{{- if not $text }}
{{- $packs := list }}
{{- range $path, $_ := $root.Files.Glob "files/packs/*.yaml" }}
{{- $packs = append $packs (base $path | trimSuffix ".yaml") }}
{{- end }}
{{- fail (printf "policies: there is no pack %s. There are: %s" $entry.pack (join ", " (sortAlpha $packs))) }}
{{- end }}
{{- range regexSplit "(?m)^---$" $text -1 }}
{{- $policy := fromYaml . }}
{{- $spec := mustMergeOverwrite $policy.spec (deepCopy ($entry.spec | default dict)) }}
{{- $policies = append $policies (dict "name" $policy.metadata.name "spec" $spec) }}
{{- end }}
{{- else }}
{{- $policies = append $policies (dict "name" $entry.name "spec" $entry.spec) }}
{{- end }}
{{- toYaml $policies }}
{{- end }}
