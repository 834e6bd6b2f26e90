{{/* What happens to what an entry is asked about while no replica answers. Takes root and entry. */}}
{{- define "domicile.failurePolicy" -}}
{{- $own := index .root.Values.webhook.entries .entry | default dict -}}
{{- /* One that asks who may loosen something stays closed, also where its own value was set to null. */}}
{{- $own.failurePolicy | default (ternary "Fail" .root.Values.webhook.failurePolicy (eq .entry "exceptions")) -}}
{{- end }}

{{/* What all entries share. Takes root, entry and path. */}}
{{- define "domicile.entry" -}}
{{- $webhook := .root.Values.webhook -}}
{{- $own := index $webhook.entries .entry | default dict -}}
- name: {{ .entry }}.domicile.dev
  admissionReviewVersions: [v1]
  sideEffects: NoneOnDryRun
  matchPolicy: Equivalent
  failurePolicy: {{ include "domicile.failurePolicy" . }}
  timeoutSeconds: {{ $own.timeoutSeconds | default $webhook.timeoutSeconds }}
  clientConfig:
    {{- if $webhook.url }}
    url: {{ printf "%s%s" (trimSuffix "/" $webhook.url) .path | quote }}
    {{- else }}
    service:
      namespace: {{ .root.Release.Namespace }}
      name: {{ include "domicile.fullname" .root }}
      port: 443
      path: {{ .path }}
    {{- end }}
    {{- /* Rendered in one mode only: in the others somebody else writes it, and an upgrade must not touch it. */}}
    {{- with .root.Values.tls.caBundle }}
    caBundle: {{ ternary (b64enc .) . (hasPrefix "-----BEGIN" (trim .)) }}
    {{- end }}
{{- end }}

{{/* The namespaces that are not judged, as a list. That of the release is always one of them. */}}
{{- define "domicile.excludedNamespaces" -}}
{{- append (.Values.webhook.excludedNamespaces | default list) .Release.Namespace | uniq | toYaml }}
{{- end }}

{{/* Which namespaces are judged. Only namespaces themselves and what is in one are subject to it. */}}
{{- define "domicile.namespaceSelector" -}}
{{- $selector := .Values.webhook.namespaceSelector | default dict -}}
namespaceSelector:
  {{- with $selector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values:
        {{- include "domicile.excludedNamespaces" . | nindent 8 }}
    {{- with $selector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* The conditions of whoever installs it, after those of the entry. */}}
{{- define "domicile.matchConditions" -}}
{{- with .Values.webhook.matchConditions }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/*
What an update must touch to be judged. Labels and annotations can change through subresources too, such as pods/status and
namespaces/finalize, which is why the rules name those.
*/}}
{{- define "domicile.condition.changes" -}}
- name: changes-more-than-finalizers-and-status
  expression: >-
    request.operation != 'UPDATE'
    || object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})
    || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})
    || object.?spec != oldObject.?spec
{{- end }}

{{- define "domicile.webhookMetadata" -}}
name: {{ include "domicile.fullname" . }}
labels:
  {{- include "domicile.labels" . | nindent 2 }}
{{- $annotations := .Values.webhook.annotations | default dict }}
{{- if eq .Values.tls.mode "certManager" }}
{{- $annotations = merge (dict "cert-manager.io/inject-ca-from" (printf "%s/%s" .Release.Namespace (include "domicile.fullname" .))) $annotations }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
