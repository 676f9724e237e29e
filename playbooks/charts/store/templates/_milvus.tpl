{{- define "milvus.port" -}}19530{{- end }}

{{- define "milvus.args" -}}
- serve
- /data
{{- end }}

{{- define "milvus.env" -}}
- {name: OMP_NUM_THREADS, value: {{ .Values.threads | int | quote }}}
# The root file system is read-only: modules are compiled once per pod.
- {name: PYTHONPYCACHEPREFIX, value: /tmp/bytecode}
{{- end }}

{{- /* As in Milvus itself: plain HTTP on a port of its own that says nothing but whether the store answers. */}}
{{- define "milvus.health" -}}
{path: /healthz, port: health}
{{- end }}

{{- define "milvus.ports" -}}
- {name: health, containerPort: 9091}
{{- end }}

{{- define "milvus.configuration" -}}
{{- end }}
