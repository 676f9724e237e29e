{{- define "store.selector" -}}
app.kubernetes.io/name: {{ .Values.server }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "store.labels" -}}
{{ include "store.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: llmflow
{{- end }}

{{- /* Volumes belong to no namespace: theirs is part of the name. */}}
{{- define "store.volume" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}
{{- end }}
