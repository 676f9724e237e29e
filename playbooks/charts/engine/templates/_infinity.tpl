{{- /* One process serves all models, each value of a list for the model at the same place. */}}
{{- define "infinity.args" -}}
- --host=0.0.0.0
- --port={{ .Values.service.port }}
- --ssl-certfile=/tls/tls.crt
- --ssl-keyfile=/tls/tls.key
{{- end }}

{{- define "infinity.env" -}}
{{- $paths := list }}{{ $names := list }}{{ $dtypes := list -}}
{{- range $number, $model := .Values.models }}
{{- $paths = append $paths (printf "/models/%d" $number) }}
{{- $names = append $names $model.name }}
{{- $dtypes = append $dtypes $model.dtype }}
{{- end -}}
- name: INFINITY_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.apiKeySecret.name }}, key: {{ .Values.apiKeySecret.key }}}}
- {name: INFINITY_MODEL_ID, value: {{ join ";" $paths | quote }}}
- {name: INFINITY_SERVED_MODEL_NAME, value: {{ join ";" $names | quote }}}
- {name: INFINITY_DTYPE, value: {{ join ";" $dtypes | quote }}}
- {name: INFINITY_DEVICE, value: {{ ternary "cuda" "cpu" (gt (int .Values.gpus) 0) }}}
- {name: INFINITY_HOME, value: /tmp/infinity}
{{- end }}

{{- define "infinity.health" -}}/health{{- end }}
