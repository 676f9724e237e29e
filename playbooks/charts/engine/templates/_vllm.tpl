{{- /* One process serves one model. */}}
{{- define "vllm.args" -}}
{{- $model := first .Values.models -}}
- /models/0
- --served-model-name={{ $model.name }}
- --host=0.0.0.0
- --port={{ .Values.service.port }}
- --ssl-certfile=/tls/tls.crt
- --ssl-keyfile=/tls/tls.key
- --middleware=llmflow_key.Key   # without it the key is asked for below /v1 only
- --dtype={{ $model.dtype }}
- --max-model-len={{ .Values.vllm.maxLength | int }}
- --max-num-seqs={{ .Values.vllm.maxSequences | int }}
{{- with .Values.vllm.runner }}
- --runner={{ . }}
{{- end }}
{{- with .Values.vllm.toolParser }}
- --enable-auto-tool-choice
- --tool-call-parser={{ . }}
{{- end }}
{{- if .Values.gpus }}
- --tensor-parallel-size={{ .Values.gpus | int }}
{{- else }}
- --enforce-eager   # the image carries no compiler
- --kv-cache-memory-bytes={{ mulf .Values.vllm.cacheGiB 1073741824 | int64 }}
{{- end }}
- --disable-fastapi-docs
{{- end }}

{{- define "vllm.env" -}}
- name: VLLM_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.apiKeySecret.name }}, key: {{ .Values.apiKeySecret.key }}}}
- {name: VLLM_CACHE_ROOT, value: /tmp/vllm}
- {name: VLLM_CONFIG_ROOT, value: /tmp/vllm-config}
{{- end }}

{{- define "vllm.health" -}}/health{{- end }}
