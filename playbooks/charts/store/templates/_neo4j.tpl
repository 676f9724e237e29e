{{- define "neo4j.port" -}}7687{{- end }}

{{- define "neo4j.args" -}}
- /data
- /configuration/neo4j.conf
- /secrets/password
{{- end }}

{{- define "neo4j.env" -}}
- {name: JDK_JAVA_OPTIONS, value: "-Xms{{ .Values.neo4j.heapMiB | int }}m -Xmx{{ .Values.neo4j.heapMiB | int }}m"}
{{- end }}

{{- /* The port of Bolt answers a plain HTTPS question as well, through the same TLS and the same threads. */}}
{{- define "neo4j.health" -}}
{path: /, port: store, scheme: HTTPS}
{{- end }}

{{- define "neo4j.ports" -}}
{{- end }}

{{- define "neo4j.configuration" -}}
neo4j.conf: |
  server.bolt.listen_address=0.0.0.0:{{ include "neo4j.port" . }}
  server.bolt.tls_level=REQUIRED
  dbms.ssl.policy.bolt.enabled=true
  dbms.ssl.policy.bolt.base_directory=/tls
  dbms.ssl.policy.bolt.private_key=tls.key
  dbms.ssl.policy.bolt.public_certificate=tls.crt
  dbms.ssl.policy.bolt.client_auth=NONE
  dbms.security.auth_enabled=true
  dbms.security.allow_csv_import_from_file_urls=false
  dbms.usage_report.enabled=false
  server.memory.pagecache.size={{ .Values.neo4j.pageCacheMiB | int }}m
  # Logs of transactions are kept for a backup that is taken while the store runs, which this edition has not.
  db.tx_log.rotation.retention_policy=1 days 1G
{{- end }}
