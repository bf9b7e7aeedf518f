# What is wrong with a configuration though nginx could read it: nginx -t says so in one line that
# names the directive, the value and what to write instead, and says nothing where all is well.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use Files;
use POSIX ();
use S3Test;
use Test::More;

my $nginx  = $ENV{TEST_NGINX_BINARY};
my $module = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];
my $dir    = tempdir(CLEANUP => 1);
mkdir "$dir/logs";
# Workers may read what is there.
my $global = "pid $dir/nginx.pid;" . ($> == 0 ? ' user root;' : '');
my $with   = `$nginx -V 2>&1`;
my $tls    = $with =~ /--with-http_ssl_module/;

my ($version) = $with =~ m{/(\d+\.\d+\.\d+)};
my $since = sub {
    my ($here, $there) = map { sprintf '%03d%03d%03d', split /\./ } $version, $_[0];
    return $here ge $there;
};

my %files = (
    line  => "secret\n",         crlf  => "secret\r\nmore\n", lf    => "sec\rret\n", nul => "sec\0ret\n",
    'clients-bad' => "# one\nfile:K secret_key=s\n", 'clients-quotes' => "K secret_key=\"s\"\n",
    bom   => "\xef\xbb\xbfs\n",  spare => "secret \n",        tab   => "\tsecret\n", raw => '$NAME',
    long  => 'x' x 65537,        limit => 'x' x 65536,        quote => "'secret'\n", var => "\${NAME}\n",
    key   => "AKID\n",           latin => "s\xfccret\n",
);
write_file("$dir/$_", $files{$_}) for keys %files;
POSIX::mkfifo("$dir/pipe", 0600) or die "mkfifo: $!";

# Variables of nginx's environment.
my %env = (
    S3_GOOD  => 'secret',     S3_LF    => "secret\n",   S3_CRLF => "s\r\nx-amz-acl: a", S3_TAB  => "s\tt",
    S3_SPACE => ' secret',    S3_QUOTE => '"secret"',   S3_VAR  => '${CLIENT_SECRET}',  S3_BOM  => "\xef\xbb\xbfs",
    S3_RAW   => '$secret',    S3_DEL   => "s\x7f",      S3_LATIN => "k\xc3\xbc",        S3_KEY  => 'AKID/x+y=',
    S3_COMMA => 'AKID,x',     S3_LONG  => 'A' x 129,    S3_UTF8 => "pa\xc3\x9fwort",
    S3_HUGE  => 'x' x 65537,
);
@ENV{ keys %env } = values %env;
delete @ENV{qw(NAME $NAME)};

my $client = 's3_client AKID secret_key=x;';
my $issuer = 's3_issuer ci secret=k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;';
my $deploy = 's3_issuer deploy secret=d3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE;';
my $tokens = 'issuer=https://issuer.example.com audience=a condition=sub:* jwks=http://127.0.0.1:9/jwks';
my $server = 'server 127.0.0.1:9000;';
my $key    = 'access_key=a secret_key=b';
my $up     = "upstream up { $server s3_origin default $key; }";
my $pass   = 'proxy_pass http://up;';

# Parts of a configuration: that of http {}, of server {}, and of location /.
sub in_location { return (http => $up, server => $client, location => "s3_resign on; $_[0]") }
sub with_origin { return (http => "upstream up { $server s3_origin default $_[0]; }", in_pass()) }
sub in_pass { return (server => $client, location => "s3_resign on; $pass") }
sub with_client { return (server => $_[0]) }

my $sse_c = 'key=a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=';
my $clear = sub { qq("s3_sse_c" in location "/": "proxy_pass http://up" would send its key to "$_[0]" in clear: write )
    . '"https://up", or "s3_sse_c off" here' };
my $no_bucket = 'is not the name of a bucket: write one of letters, digits, dots, dashes and underscores, with at most '
    . 'one "*" for what is the same on both sides';
my $no_key   = 'has a character that no access key has: use ASCII without spaces and commas';
my $no_host  = 'is not a host: write NAME or NAME:PORT, without scheme and path';
my $no_name  = 'is not a region: write a name of at most 64 letters, digits, dashes, dots and underscores';
my $control  = 'has a line break or another control character: remove it';
my $unsigned = 'unverified and unsigned: add "s3_resign on;", or "s3_resign off;" if that is meant';
my $variable = 'begins with "$", but variables are not expanded here: write "env:NAME", or "file:PATH" for a value that begins so';
my $here     = '"s3_resign" in location "/":';

# What it is about, what nginx says (undef: nothing, '?...': as a warning), and the configuration.
my @rows = (
    ['all is well', undef, http => $up, in_pass()],

    # ---- to an upstream of S3, and nobody says s3_resign
    ['no s3_resign', qq("proxy_pass" in location "/" passes requests to upstream "up" $unsigned),
        http => $up, location => $pass],
    ['none in a nested location of one that answers itself',
        qq("proxy_pass" in location "/in/" passes requests to upstream "up" $unsigned),
        http => $up, location => "return 204; location /in/ { $pass }"],
    ['none, and proxy_pass is inside if', qq("proxy_pass" in location "/" passes requests to upstream "up" $unsigned),
        http => $up, location => "if (\$arg_x) { $pass }"],
    ['none, and proxy_pass is inside limit_except',
        qq("proxy_pass" in location "/" passes requests to upstream "up" $unsigned),
        http => $up, location => "limit_except GET { $pass }"],
    ['none in a named location', qq("proxy_pass" in location "\@s3" passes requests to upstream "up" $unsigned),
        http => $up, server => "location \@s3 { $pass }", location => 'error_page 404 = @s3;'],
    ['none in a location of subrequests', qq("proxy_pass" in location "/sub" passes requests to upstream "up" $unsigned),
        http => $up, server => "location = /sub { internal; $pass }"],
    ['none beside s3_status', qq("proxy_pass" in location "/x" passes requests to upstream "up" $unsigned),
        http => $up, server => "location /x { $pass }", location => 's3_status;'],
    (map { ["none, and ${_}_pass", qq("${_}_pass" in location "/" passes requests to upstream "up" $unsigned),
        http => $up, location => "${_}_pass up;"] } qw(fastcgi uwsgi scgi grpc)),
    ['s3_resign off here', undef, http => $up, location => "s3_resign off; $pass"],
    ['s3_resign off here, inside if', undef, http => $up, location => "s3_resign off; if (\$arg_x) { $pass }"],
    ['s3_resign off in a location around it', undef,
        http => $up, location => "s3_resign off; location /in/ { $pass location /in/in/ { $pass } }"],
    ['s3_resign off in a location under one that has it on', undef,
        http => $up, server => $client, location => "s3_resign on; $pass location /in/ { s3_resign off; $pass }"],
    ['s3_resign off of the server',
        qq(?"s3_resign off" is inherited by location "/", which passes requests to upstream "up" unverified and )
        . 'unsigned: write it there too if that is meant',
        http => $up, server => 's3_resign off;', location => $pass],
    ['s3_resign off of http',
        qq(?"s3_resign off" is inherited by location "/", which passes requests to upstream "up" unverified and )
        . 'unsigned: write it there too if that is meant',
        http => "$up s3_resign off;", location => $pass],
    ['an upstream without s3_origin', undef, http => "upstream other { $server }", location => 'proxy_pass http://other;'],
    ['a host without s3_origin', undef, location => 'proxy_pass http://127.0.0.1:9000;'],
    ['a host, with s3_origin of the server', undef,
        server => "s3_origin $key;", location => 'proxy_pass http://127.0.0.1:9000;'],
    ['s3_origin here, without s3_resign',
        '"s3_origin" in location "/" has no effect without "s3_resign on": add that, or remove "s3_origin"',
        location => "s3_origin $key; proxy_pass http://127.0.0.1:9000;"],
    ['s3_client here, without s3_resign',
        '"s3_client" in location "/" has no effect without "s3_resign on": add that, or remove "s3_client"',
        location => "$client proxy_pass http://127.0.0.1:9000;"],
    ['s3_issuer here, without s3_resign',
        '"s3_issuer" in location "/" has no effect without "s3_resign on": add that, or remove "s3_issuer"',
        location => "$issuer proxy_pass http://127.0.0.1:9000;"],
    ['s3_revoke here, without s3_resign',
        '"s3_revoke" in location "/" has no effect without "s3_resign on": add that, or remove "s3_revoke"',
        server => $issuer, location => "s3_revoke ci ABCDEFGHIJKLMNOP; proxy_pass http://127.0.0.1:9000;"],
    ['s3_revoke here without an issuer', '"s3_revoke ci": there is no "s3_issuer ci" for this level: write it where that line is, or inside',
        with_client("$client s3_revoke ci ABCDEFGHIJKLMNOP;")],
    ['an issuer alone', undef, with_client($issuer)],
    ['s3_client here for a nested location', undef,
        http => $up, location => "$client location /in/ { s3_resign on; $pass }"],

    # ---- s3_origin, of an upstream and of a location
    ['both here', '"s3_origin" in location "/" has no effect: upstream "up" has lines of its own: remove one or the other',
        in_location("s3_origin $key; $pass")],
    ['the location of the server', undef, http => $up, server => "$client s3_origin $key;", location => "s3_resign on; $pass"],
    (map { my ($lines, $who, $said) = @$_; ["$lines and $who", $said,
            http => "upstream up { $server server 127.0.0.2:9000; $lines }", server => $who, location => "s3_resign on; $pass"] }
        ["s3_origin default $key; s3_origin 127.0.0.2:9000 account=a $key;", 's3_client K secret_key=x account=a; s3_client L secret_key=x;', undef],
        ["s3_origin default account=a $key;", 's3_client K secret_key=x account=a; s3_anonymous on;', undef],
        ["s3_origin default account=a $key; s3_origin 127.0.0.1:9000 account=a $key;", 's3_client K secret_key=x account=a;', undef],
        ["s3_origin default $key;", 's3_client K secret_key=x account=a;', '"s3_client K" for location "/" has "account=a", for which there is no '
            . '"s3_origin" of upstream "up": add one with "account=a access_key=... secret_key=...", or correct the name'],
        ["s3_origin default account=a $key;", 's3_client K secret_key=x;', '"s3_client K" for location "/" has no "account=", and each "s3_origin" '
            . 'of upstream "up" is for one: add "account=NAME" to it, or an "s3_origin" without'],
        ["s3_origin default account=a $key;", 's3_anonymous sign;', '"s3_anonymous sign" for location "/" has no "account=", and each "s3_origin" '
            . 'of upstream "up" is for one: add "account=NAME" to it, or an "s3_origin" without'],
        ["s3_origin 127.0.0.1:9000 account=a $key;", 's3_client K secret_key=x account=a;',
            '"server 127.0.0.2:9000" in upstream "up" has no "s3_origin": add "s3_origin 127.0.0.2:9000 access_key=... secret_key=...;"'],
        ["s3_origin default account=a $key; s3_origin default account=a $key;", 's3_client K secret_key=x account=a;',
            '"s3_origin default": "account=a" is duplicate: keep one line for each account'],
        ["s3_origin default $key; s3_origin 127.0.0.3:9000 account=a $key;", 's3_client K secret_key=x;', '"s3_origin 127.0.0.3:9000" in upstream "up" '
            . 'names no server: write it as a "server" line of the upstream does, or add "server 127.0.0.3:9000;"'],
        ["s3_origin default host=a.example $key; s3_origin default account=a host=b.example $key;", 's3_client K secret_key=x;',
            '"s3_origin" of "127.0.0.1:9000": "account=a" has the host "b.example" there, and others have "a.example": write the same "host=" in '
            . 'each of its lines, or add a "server" line for another host'],
        ["s3_origin default account=/ $key;", 's3_client K secret_key=x;',
            '"s3_origin default": "account=/" is not a name: write 1 to 64 letters, digits, dashes, dots and underscores']),
    ['an account of a host', undef, server => 's3_client K secret_key=x account=a;',
        location => "s3_resign on; s3_origin $key; s3_origin account=a $key; proxy_pass http://127.0.0.1:9000;"],
    ['an account that a host does not know', '"s3_client K" for location "/" has "account=a", for which there is no "s3_origin": add one with '
        . '"account=a access_key=... secret_key=...", or correct the name', server => 's3_client K secret_key=x account=a;',
        location => "s3_resign on; s3_origin $key; proxy_pass http://127.0.0.1:9000;"],
    ['two lines for an account of a host', '"s3_origin account=a" is duplicate: keep one line for each account', server => 's3_client K secret_key=x;',
        location => "s3_resign on; s3_origin account=a $key; s3_origin default account=a $key; proxy_pass http://127.0.0.1:9000;"],
    ['virtual hosts of an address', '"s3_origin" of "127.0.0.1:9000": "addressing=virtual" puts buckets before the host, '
        . 'and "127.0.0.1:9000" is an address: add "host=NAME", or write "addressing=path"',
        with_origin("$key addressing=virtual")],
    ['virtual hosts of an IPv6 address', '"s3_origin" of "127.0.0.1:9000": "addressing=virtual" puts buckets before the '
        . 'host, and "[::1]" is an address: add "host=NAME", or write "addressing=path"',
        with_origin("$key addressing=virtual host=[::1]")],
    ['keys from elsewhere', undef, with_origin('credentials=imds')],
    ['keys from elsewhere, and others', '"s3_origin default" has "credentials=" and a key of its own: keep "credentials=", '
        . 'or "access_key=", "secret_key=" and "session_token="', with_origin("$key credentials=imds")],
    ['keys from nowhere', '"s3_origin default": "credentials=" names no provider that is known: write one of "imds", '
        . '"ecs", "pod_identity", "web_identity", "file:PATH", or "assume_role=ARN"',
        with_origin('credentials=aws')],
    ['keys of a file that is missing', qq("s3_origin" with "credentials=file:": cannot read "$dir/none": )
        . 'No such file or directory (os error 2)', with_origin('credentials=file:none')],
    ['keys of a file without the profile', qq("s3_origin" with "credentials=file:": "$dir/key" has no profile "p": add it, )
        . 'or write "file:PATH#PROFILE" with one that it has', with_origin('credentials=file:key#p')],
    ['keys over a network', '"s3_origin default": the URL of "endpoint" would have keys sent over the network in clear: '
        . 'write "https://"; without TLS only loopback, 169.254.169.254, 169.254.170.2, 169.254.170.23, [fd00:ec2::23] and '
        . '[fd00:ec2::254] are asked', with_origin('credentials=ecs endpoint=http://192.0.2.1/x')],
    ['a role of STS without certificates', '"s3_origin" with "credentials=assume_role=arn:a:b": '
        . qq(cannot read "$dir/none": No such file or directory (os error 2): write the path of a file with )
        . 'certificates in PEM as "credentials_ca="',
        with_origin("$key assume_role=arn:a:b sts_endpoint=https://127.0.0.1:1 credentials_ca=none")],
    ['several with keys that change, and nothing to seal ids with', '"s3_origin" of "127.0.0.1:9000" in upstream "up" has '
        . 'keys that change, and upload ids are sealed where several origins have uploads of their own: add "s3_seal_key '
        . 'VALUE;", the same on each machine', with_origin('credentials=imds; server 127.0.0.2:9000')],
    ['the same with it', undef, with_origin('credentials=imds; server 127.0.0.2:9000; s3_seal_key 0123456789abcdef')],
    ['a key that seals nothing', '"s3_seal_key" in upstream "up" has no effect without "credentials=" or "assume_role=" in '
        . 'an "s3_origin": remove it', with_origin("$key; s3_seal_key 0123456789abcdef")],
    ['a key that is short', '"s3_seal_key" has fewer than 16 bytes, which can be guessed: write what "openssl rand -hex 32" '
        . 'prints', with_origin('credentials=imds; s3_seal_key secret')],
    ['a dialect', undef, with_origin("$key dialect=minio-old framing=keep")],
    ['an unknown dialect', '"s3_origin default": "dialect=minio" is none that is known: write one of "b2", "ceph", "gcs", '
        . '"minio-old", "oss", "r2", "swift"', with_origin("$key dialect=minio")],
    ['virtual hosts of a name', undef, with_origin("$key addressing=virtual host=s3.example.com")],

    # ---- where clients have the bucket
    ['a domain with a wildcard', '"s3_domain *.s3.example.com": a name takes buckets in front of it as it is: write it '
        . 'without the dot at its beginning', server => 's3_domain *.s3.example.com;'],
    ['two lines of domains', '"s3_domain" is duplicate: keep one line at each level',
        server => 's3_domain a.example.com; s3_domain b.example.com;'],
    ['a domain in http and another in a server', undef,
        http => "$up s3_domain a.example.com;", server => 's3_domain b.example.com;', location => "$client s3_resign on; $pass"],
    ['a prefix with a slash at its end', '"s3_prefix /s3/" is not the beginning of a path: write one as "/s3", of '
        . 'letters, digits, dashes, dots, underscores and tildes, without a slash at its end', in_location('s3_prefix /s3/;')],
    ['two prefixes', '"s3_prefix" is duplicate: keep one line at each level', in_location('s3_prefix /a; s3_prefix /b;')],

    # ---- what is sent must be what was verified
    ['a URI', qq($here "proxy_pass" has a URI, "/bucket/", which nginx puts in the place of what was signed: remove it, )
        . 'and change paths with "rewrite ... break"', in_location('proxy_pass http://up/bucket/;')],
    ['a query', qq($here "proxy_pass" has a URI, "?x=1", which nginx puts in the place of what was signed: remove it, )
        . 'and change paths with "rewrite ... break"', in_location('proxy_pass http://up?x=1;')],
    ['a slash', qq($here "proxy_pass" ends with "/", by which nginx sends a path that it has changed, not the one that )
        . 'was signed: remove the slash', in_location('proxy_pass http://up/;')],
    ['a slash behind a host', qq($here "proxy_pass" ends with "/", by which nginx sends a path that it has changed, not )
        . 'the one that was signed: remove the slash', in_location("s3_origin $key; proxy_pass http://127.0.0.1:9000/;")],
    ['a slash behind a socket', qq($here "proxy_pass" ends with "/", by which nginx sends a path that it has changed, not )
        . 'the one that was signed: remove the slash', in_location("s3_origin $key host=a.example; proxy_pass http://unix:/x:/;")],
    ['a URI, inherited by if', qq($here "proxy_pass" has a URI, "/x", which nginx puts in the place of what was signed: )
        . 'remove it, and change paths with "rewrite ... break"', in_location('proxy_pass http://up/x; if ($arg_x) { set $y 1; }')],
    ['a URI with s3_resign off', undef, http => $up, location => 's3_resign off; proxy_pass http://up/x/;'],
    ['rewrite', undef, in_location("rewrite ^/x/(.*) /\$1 break; $pass")],
    ['proxy_set_body', qq($here "proxy_set_body other" sends another body than the one that was signed: remove it),
        in_location("$pass proxy_set_body other;")],
    ['proxy_set_body of nothing', qq($here "proxy_set_body " sends another body than the one that was signed: remove it),
        in_location("$pass proxy_set_body '';")],
    ['proxy_set_body of the server', qq($here "proxy_set_body \$request_body" sends another body than the one that was )
        . 'signed: remove it', in_location($pass), server => "$client proxy_set_body \$request_body;"],
    ['proxy_set_body elsewhere', undef, in_location($pass),
        server => "$client location /x { proxy_set_body x; proxy_pass http://127.0.0.1:9000; }"],
    ['proxy_pass_request_body', qq($here "proxy_pass_request_body off" drops the body that was signed: remove it),
        in_location("$pass proxy_pass_request_body off;")],
    ['proxy_pass_request_headers', qq($here "proxy_pass_request_headers off" drops headers that were signed: remove it),
        in_location("$pass proxy_pass_request_headers off;")],
    ['both of them on', undef, in_location("$pass proxy_pass_request_headers on; proxy_pass_request_body on;")],
    ['proxy_method', qq($here "proxy_method POST" sends another method than the one that was signed: remove it),
        in_location("$pass proxy_method POST;")],
    ['proxy_method of http', qq($here "proxy_method \$arg_x" sends another method than the one that was signed: remove it),
        in_location($pass), http => "$up proxy_method \$arg_x;"],
    (map { ["proxy_set_header $_", qq($here "proxy_set_header $_" says where the body ends, which nginx does itself: remove it),
        in_location("$pass proxy_set_header X-A b; proxy_set_header $_ '';")] } qw(Content-Length transfer-encoding)),
    ['proxy_set_header of others', undef, in_location("$pass proxy_set_header Host \$host; proxy_set_header Authorization '';"
        . 'proxy_set_header x-amz-acl private; proxy_set_header Connection "";')],
    ['proxy_store', qq($here "proxy_store" keeps objects as files, without what was signed beside their path: use )
        . '"proxy_cache", or "proxy_store off"', in_location("$pass proxy_store on;")],
    ['proxy_store with a path', qq($here "proxy_store" keeps objects as files, without what was signed beside their path: )
        . 'use "proxy_cache", or "proxy_store off"', in_location("$pass proxy_store $dir\$uri;")],
    ['proxy_store off', undef, in_location("$pass proxy_store off;")],
    (map { ["proxy_http_version $_", undef, in_location("$pass proxy_http_version $_;")] } '1.0', '1.1'),
    ($since->('1.29.4') && $with =~ /--with-http_v2_module/ ? ['proxy_http_version 2',
        qq($here "proxy_http_version 2" cannot be signed: write "proxy_http_version 1.1"),
        in_location("$pass proxy_http_version 2;")] : ()),
    ($since->('1.31.5') ? (
        ['client_body_early_read', undef, in_location($pass), server => "$client client_body_early_read \$arg_x;"]) : ()),

    # ---- ports
    ($tls ? (
        ['https without a port', '"server localhost" in upstream "tls" has no port, so it has 80, and "proxy_pass '
            . 'https://tls" in location "/" speaks TLS to it: write "server localhost:443", and the same in "s3_origin"',
            in_location('proxy_pass https://tls;'), http => "upstream tls { server localhost; s3_origin default $key; }"],
        ['https without a port, IPv6', '"server [::1]" in upstream "tls" has no port, so it has 80, and "proxy_pass '
            . 'https://tls" in location "/" speaks TLS to it: write "server [::1]:443", and the same in "s3_origin"',
            in_location('proxy_pass https://tls;'), http => "upstream tls { server [::1]; s3_origin default $key; }"],
        ['https with a port', undef, in_location('proxy_pass https://tls;'),
            http => "upstream tls { server localhost:443; server unix:/x; s3_origin default $key host=a.example; }"],
        ['http to 443', '?"server localhost:443" in upstream "tls" has the port of HTTPS, and "proxy_pass http://tls" in '
            . 'location "/" speaks no TLS to it: write "https://tls"',
            in_location('proxy_pass http://tls;'), http => "upstream tls { server localhost:443; s3_origin default $key; }"],
        (map { ["https to $_ without a port", undef, in_location("s3_origin $key; proxy_pass https://$_;")] } 'localhost', '127.0.0.1'),
        ['http to port 443 of a host', '?"proxy_pass http://127.0.0.1:443" in location "/" speaks no TLS to the port of HTTPS: '
            . 'write "https://127.0.0.1"', in_location("s3_origin $key; proxy_pass http://127.0.0.1:443;")]) : ()),
    ['http without a port', undef, in_location('proxy_pass http://plain;'),
        http => "upstream plain { server localhost; s3_origin default $key; }"],

    # ---- values
    (map { ["secret_key=$_", qq("s3_client AKID" "secret_key=" $variable), with_client("s3_client AKID secret_key=$_;")] }
        '$NAME', '${NAME}', '$1', '$'),
    ['a client of a variable', qq("s3_client" access key $variable), with_client('s3_client $KEY secret_key=x;')],
    (map { my ($name, $rest) = @$_; ["$name=\$NAME", qq("s3_origin default" "$name=" $variable), with_origin("$rest $name=\$NAME")] }
        ['access_key', 'secret_key=b'], ['secret_key', 'access_key=a'], ['session_token', $key]),
    ['env:$NAME', '"s3_client AKID" "secret_key=" names an environment variable with a "$": write "env:NAME"',
        with_client('s3_client AKID secret_key=env:$NAME;')],
    (map { ["secret_key=$_", '"s3_client AKID" "secret_key=" has "env:" or "file:" in upper case: write it in lower case',
        with_client("s3_client AKID secret_key=$_;")] } 'ENV:S3_GOOD', 'File:line'),
    ['a value nothing has replaced', '"s3_client AKID" "secret_key=": the value of "env:S3_VAR" is the name of a variable, '
        . 'which nothing has replaced: put the key there', with_client('s3_client AKID secret_key=env:S3_VAR;')],
    ['the same in a file', qq("s3_client AKID" "secret_key=": the value in "file:$dir/var" is the name of a variable, )
        . 'which nothing has replaced: put the key there', with_client("s3_client AKID secret_key=file:$dir/var;")],
    (map { ["secret_key=env:$_", qq("s3_client AKID" "secret_key=": the value of "env:$_" $control),
        with_client("s3_client AKID secret_key=env:$_;")] } qw(S3_LF S3_CRLF S3_TAB S3_DEL)),
    (map { ["secret_key=file:$_", qq("s3_client AKID" "secret_key=": the value in "file:$dir/$_" $control),
        with_client("s3_client AKID secret_key=file:$dir/$_;")] } qw(lf nul tab)),
    ['a line break in a literal', qq("s3_client AKID" "secret_key=": the value $control),
        with_client("s3_client AKID 'secret_key=a\nb';")],
    ['an escaped one', qq("s3_client AKID" "secret_key=": the value $control), with_client("s3_client AKID 'secret_key=a\\nb';")],
    (map { my $name = $_; ["$name=env:S3_CRLF", qq("s3_origin default" "$name=": the value of "env:S3_CRLF" $control),
        with_origin(join ' ', "$name=env:S3_CRLF", grep { !/^$name=/ } split ' ', $key)] } qw(access_key secret_key session_token)),
    ['a byte order mark', qq("s3_client AKID" "secret_key=": the value in "file:$dir/bom" begins with a byte order mark: save it without one),
        with_client("s3_client AKID secret_key=file:$dir/bom;")],
    ['a long file', qq("s3_client AKID" "secret_key=": the first line of "$dir/long" is longer than 65536 bytes: write the )
        . 'path of a file that begins with the value', with_client("s3_client AKID secret_key=file:$dir/long;")],
    ['the longest one', undef, with_client("s3_client AKID secret_key=file:$dir/limit;")],
    ['a long value in the environment', '"s3_client AKID" "secret_key=": the value of "env:S3_HUGE" is longer than 65536 bytes, '
        . 'as no key is: put the key there', with_client('s3_client AKID secret_key=env:S3_HUGE;')],
    ['a name of no variable', '"s3_client AKID" "secret_key=": there is no environment variable with what follows "env:" as '
        . q(its name: write "env:NAME" with the name of one that is set for nginx's master process),
        with_client('s3_client AKID secret_key=env:a/secret+key;')],
    ['a device that never ends', '"s3_client AKID" "secret_key=": the first line of "/dev/zero" is longer than 65536 bytes: '
        . 'write the path of a file that begins with the value', with_client('s3_client AKID secret_key=file:/dev/zero;')],
    ['a pipe that nobody writes to', qq("s3_client AKID" "secret_key=": cannot read "$dir/pipe": it has no whole line after 5s: )
        . 'write the path of a file that has one', with_client('s3_client AKID secret_key=file:pipe;')],
    ['a secret without its name', '"s3_client AKID": a word is not a parameter: it takes "secret_key=", "session_token=", "allow=", "buckets=", "expires=", "account="',
        with_client('s3_client AKID c2VjcmV0a2V5==;')],
    ['no file of clients', qq("s3_client_file": $dir/nowhere cannot be read: No such file or directory (os error 2): make it )
        . q(readable for nginx's master process and for its workers), with_client('s3_client_file nowhere;')],
    ['a folder of clients', qq("s3_client_file": $dir is no regular file, which could be read again: write the path of one),
        with_client("s3_client_file $dir;")],
    ['a file of clients with a fault', qq("s3_client_file": $dir/clients-bad:2: access key has "env:" or "file:", which are not )
        . 'read here: write the value itself', with_client('s3_client_file clients-bad;')],
    ['a file of clients with quotes', qq(?$dir/clients-quotes:1: "secret_key=" is in quotes: remove them, unless they belong to )
        . 'the key', with_client('s3_client_file clients-quotes;')],
    ['a kind of file that is none', '"s3_client_file" takes the path of a file: write "/PATH"',
        with_client('s3_client_file file:clients;')],
    ['an issuer with a short secret', '"s3_issuer ci" "secret=" could be guessed, since it has less than 32 bytes, or few different ones: '
        . 'make one with "openssl rand -base64 32"', with_client('s3_issuer ci secret=short;')],
    ['an issuer without a secret', '"s3_issuer ci" lacks "secret=": add "secret=VALUE", "secret=env:NAME" or "secret=file:PATH"',
        with_client('s3_issuer ci allow=read;')],
    ['an id that is none', '"s3_revoke ci": word 2 after "s3_revoke" is no id of a key: write the last 16 characters of an access key, '
        . 'the whole of it, or "before=2026-01-02T03:04:05Z"', with_client('s3_revoke ci AKID;')],
    # ---- s3_sts and s3_role
    ['sts with an issuer', undef, server => $issuer, location => 's3_sts;'],
    ['sts with an issuer by its name', undef, server => "$issuer $deploy", location => 's3_sts deploy;'],
    ['sts with roles', undef, server => "$issuer s3_role r; s3_role t $tokens;", location => 's3_sts;'],
    ['sts without an issuer', '"s3_sts" in location "/" has no "s3_issuer" to mint keys with: add "s3_issuer NAME secret=...;" here, or '
        . 'where those are who use the keys', server => $client, location => 's3_sts;'],
    ['sts with two issuers', '"s3_sts" in location "/" has several issuers: write which one mints keys, as "s3_sts ci;"',
        server => "$deploy $issuer", location => 's3_sts;'],
    ['sts with an unknown issuer', '"s3_sts" in location "/": there is no "s3_issuer build" for it: write the name of one, as "s3_sts ci;"',
        server => $issuer, location => 's3_sts build;'],
    ['sts beside s3_resign', '"s3_sts" in location "/" answers its requests by itself: remove "s3_resign" here',
        server => $issuer, location => 's3_sts; s3_resign on;'],
    ['sts in a location that passes requests', '"s3_sts" is in a location that another directive answers: remove that one here',
        server => $issuer, location => 'proxy_pass http://127.0.0.1:9; s3_sts;'],
    ['a role whose keys live too long', '"s3_role r": "lifetime=" of 3600 s is longer than keys of "s3_issuer ci" may live: write at most '
        . '"lifetime=60s", or a longer "max_lifetime=" there', server => ($issuer =~ s/;/ max_lifetime=1m;/r) . 's3_role r;', location => 's3_sts;'],
    ['a role of an account', qq("s3_role t": "account=acme" is none that keys of "s3_issuer ci" may have: add "account=*" there, or )
        . 'remove "account=acme"', server => "$issuer s3_role t $tokens account=acme;", location => 's3_sts;'],
    ['a role of an account that no origin has', '"s3_role t" has "account=acme", for which there is no "s3_origin": add one with '
        . '"account=acme access_key=... secret_key=...", or correct the name', http => $up,
        server => ($issuer =~ s/;/ account=*;/r) . "s3_role t $tokens account=acme;", location => 's3_sts;'],
    ['a role of an account of others', undef, server => ($issuer =~ s/;/ account=*;/r) . "s3_role t $tokens account=acme;", location => 's3_sts;'],
    ['two roles of a name', '"s3_role r" is duplicate: keep one line for each name at each level', server => 's3_role r; s3_role r;'],
    ['a role without a key set', qq("s3_role t": "jwks=file:": cannot read "$dir/nowhere": No such file or directory (os error 2): write )
        . 'the path of a JSON Web Key Set (RFC 7517)', server => 's3_role t ' . ($tokens =~ s/jwks=\S+/jwks=file:nowhere/r) . ';'],
    ['a role with a key set that is none', qq("s3_role t": "jwks=file:": "$dir/clients-bad" is no JSON object, or has a member twice: write )
        . 'the path of a JSON Web Key Set (RFC 7517)', server => 's3_role t ' . ($tokens =~ s/jwks=\S+/jwks=file:clients-bad/r) . ';'],
    ['a service that has no address', qr/^"s3_role" with "jwks=https:\/\/issuer\.invalid\/jwks": "issuer\.invalid" has no address \(.+\): correct the name, or the name servers of this machine$/,
        server => 's3_role t ' . ($tokens =~ s/jwks=\S+/jwks=https:\/\/issuer.invalid\/jwks/r) . ';'],
    ['a CA that is not there', '"s3_role" with "jwks=https://127.0.0.1/jwks": cannot read "' . "$dir/nowhere" . '": No such file or directory '
        . '(os error 2): write the path of a file with certificates in PEM as "jwks_ca="',
        server => 's3_role t ' . ($tokens =~ s/jwks=\S+/jwks=https:\/\/127.0.0.1\/jwks jwks_ca=nowhere/r) . ';'],
    ['a space in front', '?"s3_client AKID" "secret_key=": the value of "env:S3_SPACE" begins or ends with a space: remove it, '
        . 'unless it belongs to the key', with_client('s3_client AKID secret_key=env:S3_SPACE;')],
    ['a space behind', qq(?"s3_client AKID" "secret_key=": the value in "file:$dir/spare" begins or ends with a space: remove )
        . 'it, unless it belongs to the key', with_client("s3_client AKID secret_key=file:$dir/spare;")],
    ['quotes', '?"s3_client AKID" "secret_key=": the value of "env:S3_QUOTE" is in quotes: remove them, unless they belong '
        . 'to the key', with_client('s3_client AKID secret_key=env:S3_QUOTE;')],
    ['quotes in nginx.conf', '?"s3_client AKID" "secret_key=": the value is in quotes: remove them, unless they belong to the key',
        with_client('s3_client AKID secret_key="secret";')],
    ['quotes in a file', qq(?"s3_client AKID" "secret_key=": the value in "file:$dir/quote" is in quotes: remove them, )
        . 'unless they belong to the key', with_client("s3_client AKID secret_key=file:$dir/quote;")],
    (map { ["secret_key=$_", undef, with_client("s3_client AKID secret_key=$_;")] }
        'env:S3_GOOD', 'env:S3_RAW', 'env:S3_UTF8', "file:$dir/raw", "file:$dir/line", "file:$dir/crlf", "file:$dir/latin", 'a$b', 'environment:x'),
    (map { ["an access key $_", qq("s3_client" access key $no_key), with_client("s3_client '$_' secret_key=x;")] }
        'A,B', 'A B', ' A', 'A '),
    ['an access key with a comma, from the environment', qq("s3_client" access key $no_key),
        with_client('s3_client env:S3_COMMA secret_key=x;')],
    ['an access key beyond ASCII', qq("s3_origin default" "access_key=" $no_key), with_origin('access_key=env:S3_LATIN secret_key=x')],
    ['an access key that is too long', '"s3_client" access key has 129 bytes: write an access key of at most 128, and no other value',
        with_client('s3_client env:S3_LONG secret_key=x;')],
    (map { ["the access key $_", undef, with_client("s3_client $_ secret_key=x;")] } 'AKID/x+y=', 'env:S3_KEY', "file:$dir/key", 'A' x 128),
    ['a session token with a space', '"s3_origin default" "session_token=" has a character that no session token has: use ASCII without spaces',
        with_origin("$key 'session_token=a b'")],
    ['a session token beyond ASCII', '"s3_origin default" "session_token=" has a character that no session token has: use ASCII without spaces',
        with_origin("$key session_token=env:S3_LATIN")],

    ['s3_max_skew 25h', '?"s3_max_skew 25h" lets whoever overhears a request send it again for that long: write at most "1d"',
        server => 's3_max_skew 25h;'],
    ['s3_max_skew 1d', undef, server => 's3_max_skew 1d;'],

    # ---- hosts and regions
    (map { ["s3_host $_", qq("s3_host $_" $no_host), server => "s3_host '$_';"] }
        'https://s3.example.com', 's3.example.com/', 's3.example.com/b', 's3.example.com:', ':443', 's3.example.com:0',
        's3.example.com:65536', 's3.example.com:https', 'a:1:2', 'a b', ' a', 'a ', '', '.a', 'a.', '-a', '::1', '[::1', '[]', '[x]:1',
        'https://$host', '$scheme://$host', '$host/', '$host $server_port', '${host}:', '$host:0'),
    (map { ["s3_host $_", undef, server => "s3_host $_;"] }
        's3.example.com', 's3.example.com:8443', 'S3', '10.0.0.1:9000', '[::1]:9000', 'a_b.c', '$http_host', '$host:$server_port',
        '"${http_x_forwarded_host}"', 's3.$host', '$host$arg_port'),
    (map { ["s3_signed_header $_", qq("s3_signed_header $_" is for a header that decides what is asked for, or how it is read: keep what is in front from changing it),
            server => "s3_signed_header $_ a;"] }
        'Authorization', 'Proxy-Authorization', 'X-Amz-Date', 'x_amz_copy_source', 'x-amz-meta-a', 'X-Minio-Force-Delete', 'Content-Length',
        'Content-Type', 'content-md5', 'Content-Encoding', 'Transfer-Encoding', 'Trailer', 'TE', 'Date', 'Range', 'If-Match', 'Cache-Control', 'Expires'),
    (map { ["s3_signed_header $_", qq("s3_signed_header $_" is not for a header: write the name of one, as "Accept-Encoding", without a colon),
            server => "s3_signed_header '$_' a;"] } '', 'Accept-Encoding:', 'a b'),
    ['s3_signed_header Host', '"s3_signed_header Host" cannot be for the host: write "s3_host VALUE;"', server => 's3_signed_header Host a;'],
    ['s3_signed_header twice', '"s3_signed_header via" is duplicate: keep one line at each level',
        server => 's3_signed_header Via a; s3_signed_header Accept a; s3_signed_header via b;'],
    (map { ["s3_signed_header $_", undef, server => "$client s3_signed_header $_;"] }
        'Accept-Encoding $http_x_original_accept_encoding', 'Expect 100-continue', 'x-amzn-trace-id "$arg_a b"', 'Via ""'),
    (map { ["host=$_", qq("s3_origin default": "host=$_" $no_host), with_origin("$key 'host=$_'")] }
        'https://s3.example.com', 's3.example.com/b', 's3.example.com:99999', 's3.example.com:', 'a b', '', '$host'),
    (map { ["host=$_", undef, with_origin("$key host=$_")] } 's3.example.com', 's3.example.com:9000', '[::1]:9000'),
    (map { ["s3_bucket_map $_->[0]", qq("s3_bucket_map $_->[0]"$_->[1]), server => "s3_bucket_map $_->[0];"] }
        ['a/b c', qq(: "a/b" $no_bucket)], ['a c:d', qq(: "c:d" $no_bucket)], ['a*b* c*', qq(: "a*b*" $no_bucket)],
        ['a* c', ' has "*" on one side only: write it on both, where the name goes on, or on none']),
    (map { my ($lines, $said) = @$_; ["$lines in an upstream", $said,
            http => "upstream up { $server s3_origin default $key; $lines }", in_pass()] }
        ['s3_bucket_map a b; s3_bucket_map logs-* *.logs; s3_bucket_map * acme-* origin=127.0.0.1:9000;', undef],
        ['s3_bucket_map a b origin=127.0.0.1;', '"s3_bucket_map a b": "origin=127.0.0.1" is no server of upstream "up": write it as it stands there, or leave it out'],
        ['s3_bucket_map a b; s3_bucket_map a c;', '"s3_bucket_map a c" has the same name for clients as another line for "127.0.0.1:9000": keep one'],
        ['s3_bucket_map a* b*; s3_bucket_map c* b*;', '"s3_bucket_map c* b*" has the same name at the origin as another line for "127.0.0.1:9000": give each bucket a name of its own']),
    ['a map and no s3_origin', '"s3_bucket_map" in upstream "up" has no effect without "s3_origin": add one for each of its servers, or remove it',
        http => "upstream up { $server s3_bucket_map a b; }"],
    ['a map here and no s3_resign', '"s3_bucket_map" in location "/" has no effect without "s3_resign on": add that, or remove "s3_bucket_map"',
        location => 's3_bucket_map a b; proxy_pass http://127.0.0.1:9000;'],
    (map { ["s3_anonymous $_->[0]", $_->[1], in_location("$pass s3_anonymous $_->[0];")] }
        ['on', undef], ['off', undef], ['sign', undef], ['sign allow=GetObject,HeadObject buckets=a,b/c*', undef],
        ['yes', '"s3_anonymous yes" is none of "on", "off" and "sign": write one of them'],
        ['on buckets=a', '"s3_anonymous on" takes no parameters: write "s3_anonymous sign" with them, or remove them'],
        ['sign bucket=a', '"s3_anonymous sign": unknown parameter "bucket": it takes "allow=", "buckets=", "account="'],
        ['sign allow=CreateSession', '"s3_anonymous sign": "CreateSession" in "allow=" would give the origin\'s credentials to whoever asks: remove it'],
        ['on; s3_anonymous sign', '"s3_anonymous" is duplicate: keep one line at each level']),
    (map { ["s3_sse_c $_->[0]", $_->[1], in_location("$pass s3_sse_c $_->[0];")] }
        ["b $sse_c", undef], ["logs-*/a* $sse_c cache=on", undef], ['off', undef],
        ['b', '"s3_sse_c b" lacks "key=": add "key=VALUE", "key=env:NAME" or "key=file:PATH"'],
        ['b key=env:S3_GOOD', '"s3_sse_c b" "key=" is not 32 bytes in base64: make a key with "openssl rand -base64 32", and keep it where it cannot be lost'],
        ["$sse_c b", '"s3_sse_c" begins with no pattern of buckets: write "s3_sse_c BUCKET key=..." or "s3_sse_c BUCKET/PREFIX* key=...", with "*" for any run of characters'],
        ["b $sse_c cache=yes", '"s3_sse_c b": "cache=yes" is neither "cache=on" nor "cache=off": write one of them'],
        ["b $sse_c; s3_sse_c a $sse_c; s3_sse_c b $sse_c", '"s3_sse_c b" is duplicate: keep one line for each pattern'],
        ["b $sse_c; s3_sse_c off", '"s3_sse_c" is duplicate: keep "off" or the keys'],
        ["off; s3_sse_c b $sse_c", '"s3_sse_c" is duplicate: keep "off" or the keys']),
    (map { ["a key for $_->[0]", $_->[1], server => $client, location => "s3_resign on; s3_sse_c b $sse_c; $pass",
            http => "upstream up { server $_->[0]; s3_origin default $key host=a.example; }"] }
        (map { [$_, undef] } '127.0.0.1:9000', '127.1.2.3', 'localhost:9000', '[::1]:9000', 'unix:/x'),
        (map { [$_, $clear->($_)] } '192.0.2.1:9000', '[2001:db8::1]:9000', '192.0.2.1')),
    ['a key for one of two', $clear->('192.0.2.1:9000'), server => $client, location => "s3_resign on; s3_sse_c b $sse_c; $pass",
        http => "upstream up { $server server 192.0.2.1:9000 backup; s3_origin default $key; }"],
    ['a key that is switched off', undef, server => "$client s3_sse_c b $sse_c;", location => "s3_resign on; s3_sse_c off; $pass",
        http => "upstream up { server 192.0.2.1:9000; s3_origin default $key; }"],
    ['a key without an upstream', $clear->('192.0.2.1') =~ s/:\/\/up/:\/\/192.0.2.1/gr, server => $client,
        location => "s3_resign on; s3_sse_c b $sse_c; s3_origin $key; proxy_pass http://192.0.2.1:9000;"],
    ($tls ? (
        ['a key by TLS to anybody', '?"s3_sse_c" in location "/": whoever can pretend to be "192.0.2.1:9000" gets its key, since certificates '
            . 'are not verified: add "proxy_ssl_verify on" and "proxy_ssl_trusted_certificate"',
            server => $client, location => "s3_resign on; s3_sse_c b $sse_c; proxy_pass https://up;",
            http => "upstream up { server 192.0.2.1:9000; s3_origin default $key; }"]) : ()),
    ['a key here and no s3_resign', '"s3_sse_c" in location "/" has no effect without "s3_resign on": add that, or remove "s3_sse_c"',
        location => "s3_sse_c b $sse_c; proxy_pass http://127.0.0.1:9000;"],
    (map { ["s3_region $_", qq("s3_region $_" $no_name, or "any"), server => "s3_region '$_';"] } 'us/east', 'us east', '', 'x' x 65),
    (map { ["region=$_", qq("s3_origin default": "region=$_" $no_name), with_origin("$key 'region=$_'")] } 'us/east', 'us east', '', 'x' x 65),
    (map { ["the region $_", undef, with_origin("$key region=$_"), server => "$client s3_region $_;"] } 'us-east-1', 'eu_1.a', 'x' x 64),
);

# What nginx opens and makes even for -t, where a plain user may.
my $mine = join ' ', 'access_log off;', map {"${_}_temp_path $dir;"} qw(client_body proxy fastcgi uwsgi scgi);
for my $row (@rows) {
    my ($name, $line, %part) = @$row;
    $part{$_} //= '' for qw(http server location);
    write_file("$dir/nginx.conf", <<"END");
load_module $module;
events {}
http {
    $mine
    $part{http}
    server {
        listen unix:$dir/socket;
        $part{server}
        location / { $part{location} }
    }
}
END
    my $said = `$nginx -t -e stderr -p $dir -c $dir/nginx.conf -g '$global' 2>&1`;
    my $is_well = $? == 0;
    my @lines = map { /\[(?:warn|error|crit|alert|emerg)\] \d+#\d+: (.*) in \Q$dir\E\/nginx\.conf:\d+$/ ? $1 : $_ }
        grep {!/^nginx: (?:the configuration file|configuration file)|\[notice\]/} split /\n/, $said;
    @lines = grep {!/\[warn\].*the "user" directive/} @lines;
    $line = $lines[0] if ref $line && ($lines[0] // '') =~ $line;
    my $warns = defined $line && $line =~ s/^\?//;
    is_deeply([$is_well ? 'accepted' : 'refused', @lines],
        [!defined $line || $warns ? 'accepted' : 'refused', defined $line ? $line : ()], $name);
}

done_testing();
