# Files of clients: read with the configuration, read again when they change, and kept when they are no good.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

# nginx runs: replaces the file by renaming, and waits until nginx has read it, or does not take it.
sub replace {
    my ($text, $name) = (@_, 'keys');
    my $path = "$ENV{TEST_NGINX_SERVROOT}/html/$name";
    write_file("$path.new", $text);
    after_reading(sub { rename "$path.new", $path or die $! });
}

# Writes it where it is.
sub overwrite { my $text = shift; after_reading(sub { write_file("$ENV{TEST_NGINX_SERVROOT}/html/keys", $text) }) }

sub after_reading {
    my $change = shift;
    my $told   = sub { logged('clients read in|stays in use as it was') };
    my $before = $told->();
    $change->();
    wait_until(sub { $told->() > $before }, 'the file to be read');
}

sub write_file {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "$path: $!";
    print $out $text;
    close $out;
}

$ENV{TEST_NGINX_FILE} = <<'END';
s3_client_file ../html/keys;
location / { s3_resign on; proxy_pass http://origin_a; }
location /status { s3_status; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: clients of a file, with all that a line may have
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
# a comment

AKIDA secret_key=a
	AKIDB   secret_key=b	allow=read buckets=bucket  
AKIDC secret_key=c session_token=To/K+en==
AKIDD secret_key=d expires=2026-01-02T03:04:05Z
AKIDE secret_key=e expires=2999-12-31T23:59:59Z
AKIDF secret_key=old
AKIDF secret_key=new allow=list
--- signed
GET /bucket/key key=AKIDA secret=a                      => 200 verified yes
PUT /bucket/key key=AKIDA secret=a body=hello           => 200 verified yes
GET /bucket/key key=AKIDA secret=b                      => 403 error SignatureDoesNotMatch
GET /bucket/key key=AKIDA secret=a token=To/K+en==      => 400 error InvalidToken
GET /bucket/key key=AKIDB secret=b                      => 200 verified yes
PUT /bucket/key key=AKIDB secret=b body=hello           => 403 error AccessDenied
GET /other/key key=AKIDB secret=b                       => 403 error AccessDenied
GET /bucket/key key=AKIDC secret=c token=To/K+en==      => 200 verified yes
GET /bucket/key key=AKIDC secret=c token=To/K+en=       => 400 error InvalidToken
GET /bucket/key key=AKIDC secret=c                      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDD secret=d                      => 400 error ExpiredToken
GET /bucket/key key=AKIDE secret=e                      => 200 verified yes
GET /bucket/key key=AKIDF secret=old                    => 200 verified yes
GET /bucket/key key=AKIDF secret=new                    => 403 error AccessDenied
GET /bucket/key key=AKIDF secret=none                   => 403 error SignatureDoesNotMatch
GET /bucket/key key=AKIDZ secret=a                      => 403 error InvalidAccessKeyId
GET /bucket/key                                         => 403 error InvalidAccessKeyId

=== TEST 2: presigned, by V2 and in a form
--- config
s3_signature_v2 on;
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- presigned
GET /bucket/key key=AKIDA secret=a                      => 200 verified yes
signed_v2 GET /bucket/key key=AKIDA secret=a            => 200 verified yes
presigned_v2 GET /bucket/key key=AKIDA secret=a         => 200 verified yes
form POST /bucket key=AKIDA secret=a form_key=key file=hello    => 200 verified yes
form POST /bucket key=AKIDA secret=b form_key=key file=hello    => 403 error SignatureDoesNotMatch

=== TEST 3: a changed file is read without a reload: who is gone is rejected, and who is new is accepted
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
AKIDB secret_key=b
--- init
ask(key => 'AKIDA', secret => 'a')->{status} == 200 or die 'not accepted at first';
replace("AKIDB secret_key=new\nAKIDC secret_key=c\n");
logged('worker process \d+ exited') and die 'it was reloaded';
--- signed
GET /bucket/key key=AKIDA secret=a      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDB secret=b      => 403 error SignatureDoesNotMatch
GET /bucket/key key=AKIDB secret=new    => 200 verified yes
GET /bucket/key key=AKIDC secret=c      => 200 verified yes
unsigned GET /status?format=json        => 200 "client_files":\[\{"path":"[^"]*/keys","clients":2,"loads":2,"last_load":\d+,"modified":\d+\}\]

=== TEST 4: the same, written where it is
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
overwrite("AKIDB secret_key=b\n");
--- signed
GET /bucket/key key=AKIDA secret=a      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDB secret=b      => 200 verified yes

=== TEST 5: a broken file changes nothing, and the next good one is used
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
replace("AKIDB secret_key=b\nAKIDC topsecret\n");
replace("AKIDB secret_key=b\nAKIDC\n");
--- signed
GET /bucket/key key=AKIDA secret=a      => 200 verified yes
GET /bucket/key key=AKIDB secret=b      => 403 error InvalidAccessKeyId
unsigned GET /status?format=json        => 200 "clients":1,"loads":1,"last_load":\d+,"modified":\d+,"fault":\{"since":\d+,"text":"line 2: ."secret_key=." is not there: add
unsigned GET /status?format=prometheus  => 200 s3_resign_client_file_good\{path="[^"]*/keys"\} 0
--- error_log eval
[qr{"[^"]+/keys" stays in use as it was read before: \S+/keys:2: a word is not a parameter: it takes},
 qr{"[^"]+/keys" stays in use as it was read before: \S+/keys:2: "secret_key=" is not there: add}]
--- no_error_log
topsecret

=== TEST 6: after a broken file
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
replace("AKIDB");
replace("AKIDB secret_key=b\n");
--- signed
GET /bucket/key key=AKIDA secret=a      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDB secret=b      => 200 verified yes
unsigned GET /status?format=json        => 200 "clients":1,"loads":2,"last_load":\d+,"modified":\d+\}

=== TEST 7: a file that is gone, and comes again
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
after_reading(sub { unlink "$ENV{TEST_NGINX_SERVROOT}/html/keys" });
ask(key => 'AKIDA', secret => 'a')->{status} == 200 or die 'it was forgotten';
replace("AKIDB secret_key=b\n");
--- signed
GET /bucket/key key=AKIDA secret=a      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDB secret=b      => 200 verified yes
--- error_log eval
qr{"[^"]+/keys" stays in use as it was read before: \S+/keys cannot be read: No such file}

=== TEST 8: a comment is enough of a file that has no clients any more
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
replace("# nobody\n");
--- signed
GET /bucket/key key=AKIDA secret=a      => 403 error InvalidAccessKeyId

=== TEST 9: over reloads, also by a new file and by one that is written to meanwhile
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
reload();
ask(key => 'AKIDA', secret => 'a')->{status} == 200 or die 'not accepted after a reload';
write_file("$ENV{TEST_NGINX_SERVROOT}/html/keys", "AKIDB secret_key=b\n");
reload();
ask(key => 'AKIDB', secret => 'b')->{status} == 200 or die 'the changed file is not in use after a reload';
replace("AKIDC secret_key=c\n");
reload(sub { s{html/keys}{html/other} });
--- user_files
>>> keys
AKIDA secret_key=a
>>> other
AKIDD secret_key=d
--- signed
GET /bucket/key key=AKIDC secret=c      => 403 error InvalidAccessKeyId
GET /bucket/key key=AKIDD secret=d      => 200 verified yes

=== TEST 10: a reload with a broken file is refused
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
replace("AKIDB\n");
reload();
--- signed
GET /bucket/key key=AKIDA secret=a      => 200 verified yes
--- error_log eval
qr{\[emerg\].*"s3_client_file": \S+/keys:1: "secret_key=" is not there: add "secret_key=VALUE" in}

=== TEST 11: two files and a line: the line comes first, then the files in their order
--- config
s3_client_file ../html/keys;
s3_client AKIDA secret_key=line;
s3_client_file ../html/more;
location / { s3_resign on; proxy_pass http://origin_a; }
--- user_files
>>> keys
AKIDA secret_key=first
AKIDB secret_key=first
>>> more
AKIDB secret_key=second
AKIDC secret_key=second
--- signed
GET /bucket/key key=AKIDA secret=line       => 200 verified yes
GET /bucket/key key=AKIDA secret=first      => 403 error SignatureDoesNotMatch
GET /bucket/key key=AKIDB secret=first      => 200 verified yes
GET /bucket/key key=AKIDB secret=second     => 403 error SignatureDoesNotMatch
GET /bucket/key key=AKIDC secret=second     => 200 verified yes

=== TEST 12: a level with clients of its own inherits none, whatever they come from
--- config
s3_client_file ../html/keys;
location / { s3_resign on; proxy_pass http://origin_a; }
location /line/ { s3_resign on; s3_client AKIDL secret_key=l; proxy_pass http://origin_a; }
location /file/ { s3_resign on; s3_client_file ../html/more; proxy_pass http://origin_a; }
--- user_files
>>> keys
AKIDA secret_key=a
>>> more
AKIDM secret_key=m
--- signed
GET /bucket/key key=AKIDA secret=a      => 200 verified yes
GET /bucket/key key=AKIDM secret=m      => 403 error InvalidAccessKeyId
GET /line/key key=AKIDA secret=a        => 403 error InvalidAccessKeyId
GET /line/key key=AKIDL secret=l        => 200 verified yes
GET /file/key key=AKIDA secret=a        => 403 error InvalidAccessKeyId
GET /file/key key=AKIDM secret=m        => 200 verified yes

=== TEST 13: where workers cannot read it, it says so, and what nginx's master has read is in use
--- skip_eval: 2: $> != 0 || !getgrgid 65534
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
--- init
my $keys = "$ENV{TEST_NGINX_SERVROOT}/html/keys";
chmod 0600, $keys;
my $group = getgrgid 65534;
after_reading(sub { reload(sub { s/user root;/user nobody $group;/ }) });
--- signed
GET /bucket/key key=AKIDA secret=a      => 200 verified yes
--- error_log eval
[qr{/keys cannot be read: Permission denied \(os error 13\): make it readable for nginx's master process and for its workers},
 qr{\[warn\] [^\n]*"s3_client_file": "[^"]+/keys" cannot be read by "nobody", as whom workers run, and read it again}]

=== TEST 14: no file
--- config
$TEST_NGINX_FILE
--- does_not_start: "s3_client_file": \S+/keys cannot be read: No such file or directory

=== TEST 15: no clients
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
AKIDA secret_key=b
AKIDA secret_key=c
--- does_not_start: "s3_client_file": \S+/keys:3: is duplicate: keep two lines for an access key

=== TEST 16: a secret that stands twice
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=a
# between
AKIDA secret_key=a allow=read
--- does_not_start: "s3_client_file": \S+/keys:3: is duplicate: keep one line for each secret

=== TEST 17: a variable
--- config
$TEST_NGINX_FILE
--- user_files
>>> keys
AKIDA secret_key=env:SECRET
--- does_not_start: "s3_client_file": \S+/keys:1: "secret_key=" has "env:" or "file:", which are not read here

=== TEST 18: a file that stands twice
--- config
s3_client_file ../html/keys;
s3_client_file ../html/keys;
--- user_files
>>> keys
AKIDA secret_key=a
--- does_not_start: "s3_client_file \S+/keys" is duplicate: keep one

=== TEST 19: without s3_resign
--- config
location / { s3_client_file ../html/keys; proxy_pass http://origin_a; }
--- user_files
>>> keys
AKIDA secret_key=a
--- does_not_start: unverified
