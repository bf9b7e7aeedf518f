# What is wrong with a configuration though nginx could read it: nginx -t says so in one line that
# names the directive, the value and what to write instead, and says nothing where all is well.

use strict;
use warnings;

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use Files;
use S3Test;
use Test::More;

my $nginx  = $ENV{TEST_NGINX_BINARY};
my $module = (split ' ', $ENV{TEST_NGINX_LOAD_MODULES})[-1];
my $dir    = tempdir(CLEANUP => 1);
mkdir "$dir/logs";

my %files = (
    line  => "secret\n",         crlf  => "secret\r\nmore\n", lf    => "sec\rret\n", nul => "sec\0ret\n",
    bom   => "\xef\xbb\xbfs\n",  spare => "secret \n",        tab   => "\tsecret\n", raw => '$NAME',
    long  => 'x' x 65537,        limit => 'x' x 65536,        quote => "'secret'\n", var => "\${NAME}\n",
    key   => "AKID\n",           latin => "s\xfccret\n",
);
write_file("$dir/$_", $files{$_}) for keys %files;

# Variables of nginx's environment.
my %env = (
    S3_GOOD  => 'secret',     S3_LF    => "secret\n",   S3_CRLF => "s\r\nx-amz-acl: a", S3_TAB  => "s\tt",
    S3_SPACE => ' secret',    S3_QUOTE => '"secret"',   S3_VAR  => '${CLIENT_SECRET}',  S3_BOM  => "\xef\xbb\xbfs",
    S3_RAW   => '$secret',    S3_DEL   => "s\x7f",      S3_LATIN => "k\xc3\xbc",        S3_KEY  => 'AKID/x+y=',
    S3_COMMA => 'AKID,x',     S3_LONG  => 'A' x 129,    S3_UTF8 => "pa\xc3\x9fwort",
);
@ENV{ keys %env } = values %env;
delete @ENV{qw(NAME $NAME)};

my $client = 's3_client AKID secret_key=x;';
my $server = 'server 127.0.0.1:9000;';
my $key    = 'access_key=a secret_key=b';
my $up     = "upstream up { $server s3_origin default $key; }";
my $pass   = 'proxy_pass http://up;';

# Parts of a configuration: that of http {}, of server {}, and of location /.
sub with_origin { return (http => "upstream up { $server s3_origin default $_[0]; }", in_pass()) }
sub in_pass { return (server => $client, location => "s3_resign on; $pass") }
sub with_client { return (server => $_[0]) }

my $no_key   = 'has a character that no access key has: use ASCII without spaces and commas';
my $no_host  = 'is not a host: write NAME or NAME:PORT, without scheme and path';
my $no_name  = 'is not a region: write a name of at most 64 letters, digits, dashes, dots and underscores';
my $control  = 'has a line break or another control character: remove it';
my $variable = 'begins with "$", but variables are not expanded here: write "env:NAME", or "file:PATH" for a value that begins so';

# What it is about, what nginx says (undef: nothing, '?...': as a warning), and the configuration.
my @rows = (
    ['all is well', undef, http => $up, in_pass()],

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
    (map { ["an access key $_", qq("s3_client" access key "$_" $no_key), with_client("s3_client '$_' secret_key=x;")] }
        'A,B', 'A B', ' A', 'A '),
    ['an access key with a comma, from the environment', qq("s3_client" access key "AKID,x" $no_key),
        with_client('s3_client env:S3_COMMA secret_key=x;')],
    ['an access key beyond ASCII', qq("s3_origin default" "access_key=" "k\\xc3\\xbc" $no_key), with_origin('access_key=env:S3_LATIN secret_key=x')],
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
    (map { ["host=$_", qq("s3_origin default": "host=$_" $no_host), with_origin("$key 'host=$_'")] }
        'https://s3.example.com', 's3.example.com/b', 's3.example.com:99999', 's3.example.com:', 'a b', '', '$host'),
    (map { ["host=$_", undef, with_origin("$key host=$_")] } 's3.example.com', 's3.example.com:9000', '[::1]:9000'),
    (map { ["s3_region $_", qq("s3_region $_" $no_name, or "any"), server => "s3_region '$_';"] } 'us/east', 'us east', '', 'x' x 65),
    (map { ["region=$_", qq("s3_origin default": "region=$_" $no_name), with_origin("$key 'region=$_'")] } 'us/east', 'us east', '', 'x' x 65),
    (map { ["the region $_", undef, with_origin("$key region=$_"), server => "$client s3_region $_;"] } 'us-east-1', 'eu_1.a', 'x' x 64),
);

for my $row (@rows) {
    my ($name, $line, %part) = @$row;
    $part{$_} //= '' for qw(http server location);
    write_file("$dir/nginx.conf", <<"END");
load_module $module;
events {}
http {
    $part{http}
    server {
        listen unix:$dir/socket;
        $part{server}
        location / { $part{location} }
    }
}
END
    my $said = `$nginx -t -e stderr -p $dir -c $dir/nginx.conf -g 'pid $dir/nginx.pid;' 2>&1`;
    my $is_well = $? == 0;
    my @lines = map { /\[(?:warn|error|crit|alert|emerg)\] \d+#\d+: (.*) in \Q$dir\E\/nginx\.conf:\d+$/ ? $1 : $_ }
        grep {!/^nginx: (?:the configuration file|configuration file)|\[notice\]/} split /\n/, $said;
    @lines = grep {!/\[warn\].*the "user" directive/} @lines;
    my $warns = defined $line && $line =~ s/^\?//;
    is_deeply([$is_well ? 'accepted' : 'refused', @lines],
        [!defined $line || $warns ? 'accepted' : 'refused', defined $line ? $line : ()], $name);
}

done_testing();
