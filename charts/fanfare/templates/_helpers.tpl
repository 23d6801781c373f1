{{/* The name of everything of this release. */}}
{{- define "fanfare.name" -}}
{{- if contains "fanfare" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-fanfare" (.Release.Name | trunc 42 | trimSuffix "-") }}{{ end }}
{{- end }}

{{/* The name of what stands outside of namespaces: two releases may have the same name in two of them. */}}
{{- define "fanfare.clusterName" -}}
{{ include "fanfare.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{- define "fanfare.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "fanfare.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "fanfare.selector" -}}
app.kubernetes.io/name: fanfare
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "fanfare.labels" -}}
{{ include "fanfare.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "fanfare.ownCertificate" -}}
{{- if and .Values.webhook.enabled (not .Values.webhook.certificate.secretName) }}yes{{ end }}
{{- end }}

{{- define "fanfare.kinds" -}}
[automations, campaignruntimes, campaigns, messagechannels, messagetemplates, rewards, segments]
{{- end }}
