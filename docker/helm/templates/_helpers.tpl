{{- define "s3-resign.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "s3-resign.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "s3-resign.labels" -}}
{{ include "s3-resign.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "s3-resign.secret" -}}
{{- .Values.existingSecret | default (include "s3-resign.name" .) -}}
{{- end }}

{{/* What the variables of the origin begin with that is the n-th, from 0: (list . n). */}}
{{- define "s3-resign.prefix" -}}
{{- $root := first . -}}
{{- if eq (len $root.Values.origins) 1 -}}
ORIGIN
{{- else -}}
SERVER{{ index (splitList "" "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (last .) }}
{{- end -}}
{{- end }}

{{/* What belongs into the Secret: each variable with its value, and with the name of that in the values. */}}
{{- define "s3-resign.keys" -}}
{{- $keys := list
    (list "CLIENT_ACCESS_KEY" .Values.client.accessKey "client.accessKey")
    (list "CLIENT_SECRET_KEY" .Values.client.secretKey "client.secretKey") -}}
{{- range $i, $client := .Values.moreClients -}}
{{- $prefix := printf "CLIENT_%s" (upper $client.name) -}}
{{- $keys = append $keys (list (print $prefix "_ACCESS_KEY") $client.accessKey (printf "moreClients[%d].accessKey" $i)) -}}
{{- $keys = append $keys (list (print $prefix "_SECRET_KEY") $client.secretKey (printf "moreClients[%d].secretKey" $i)) -}}
{{- end -}}
{{- range $i, $origin := .Values.origins -}}
{{- $prefix := include "s3-resign.prefix" (list $ $i) -}}
{{- $keys = append $keys (list (print $prefix "_ACCESS_KEY") $origin.accessKey (printf "origins[%d].accessKey" $i)) -}}
{{- $keys = append $keys (list (print $prefix "_SECRET_KEY") $origin.secretKey (printf "origins[%d].secretKey" $i)) -}}
{{- if $origin.sessionToken -}}
{{- $keys = append $keys (list (print $prefix "_SESSION_TOKEN") $origin.sessionToken (printf "origins[%d].sessionToken" $i)) -}}
{{- end -}}
{{- end -}}
{{- toJson $keys -}}
{{- end }}

{{/* What the schema cannot say of the values. */}}
{{- define "s3-resign.check" -}}
{{- if not .Values.origins -}}
{{- fail "\norigins: there is none: say at least one, as --set origins[0].endpoint=s3.us-east-1.amazonaws.com" -}}
{{- end -}}
{{- $first := false -}}
{{- range .Values.origins -}}
{{- if not .backup -}}{{- $first = true -}}{{- end -}}
{{- end -}}
{{- if not $first -}}
{{- fail "\norigins: all of them have \"backup\": leave it out at one" -}}
{{- end -}}
{{- range fromJsonArray (include "s3-resign.keys" .) -}}
{{- if and $.Values.existingSecret (index . 1) -}}
{{- fail (printf "\n%s: existingSecret is there too: leave out one of them" (last .)) -}}
{{- else if not (or $.Values.existingSecret (index . 1)) -}}
{{- fail (printf "\n%s: it is missing: say it, or existingSecret with the name of a Secret that has it as %s" (last .) (first .)) -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.moreClients -}}
{{- if has .name $names -}}
{{- fail (printf "\nmoreClients: two of them are called %q: rename one" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range $name, $text := .Values.conf -}}
{{- if has $name (list "clients.conf" "metrics.conf") -}}
{{- fail (printf "\nconf: the chart has a file %s of its own: call yours something else" $name) -}}
{{- end -}}
{{- $rest := regexReplaceAll "(\\b(secret_key|session_token|secret)=|\\bs3_seal_key\\s+[\"']?)(env|file):" $text "" -}}
{{- if regexMatch "\\b(secret_key|session_token|secret)=|\\bs3_seal_key\\s" $rest -}}
{{- fail (printf "\nconf: %s has a secret in it, and who may read ConfigMaps could read it: write env:NAME, and put NAME into existingSecret" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "\nautoscaling: minReplicas is more than maxReplicas" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "\ningress.hosts: there is none: say at least one, as --set ingress.hosts[0]=s3.example.com" -}}
{{- end -}}
{{- end }}
