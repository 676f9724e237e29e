{{- /* Each thread reads a document in a process of its own; a request more than those waits. */}}
{{- define "unstructured.args" -}}
- --port={{ .Values.service.port }}
- --certificate=/tls/tls.crt
- --private-key=/tls/tls.key
- --at-once={{ .Values.threads }}
{{- end }}

{{- define "unstructured.env" -}}
- name: UNSTRUCTURED_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.apiKeySecret.name }}, key: {{ .Values.apiKeySecret.key }}}}
{{- end }}

{{- define "unstructured.health" -}}/healthcheck{{- end }}
