// Does what its input says, line by line, with the AWS SDK for Go or with minio-go.
//
// `client aws|minio|minio-dns URL REGION`. The words of a line have tabs between them:
//
//	put BUCKET KEY FILE [PART]
//	get BUCKET KEY FILE
//	list BUCKET
//	copy BUCKET KEY TARGET
//	delete BUCKET KEY
//	presign BUCKET KEY GET|PUT
//
// Each is answered with a line: `ok` and what was asked for, or `error` and why. A file larger than a
// part, of 5 MiB or of so many bytes, goes up in parts, several at the same time. `minio` is told of no region: it asks for the bucket's.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	part    = 5 << 20          // bytes
	timeout = 60 * time.Second // for one line
	expiry  = 5 * time.Minute
)

type client interface {
	put(ctx context.Context, bucket, key, file string, part int64) error
	get(ctx context.Context, bucket, key, file string) error
	list(ctx context.Context, bucket string) ([]string, error)
	copy(ctx context.Context, bucket, key, target string) error
	delete(ctx context.Context, bucket, key string) error
	presign(ctx context.Context, bucket, key, method string) (string, error)
}

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("see main.go for the arguments"))
	}
	s3, err := open(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fail(err)
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		answer, err := run(s3, strings.Split(input.Text(), "\t"))
		if err != nil {
			answer = []string{"error", strings.ReplaceAll(err.Error(), "\n", " ")}
		} else {
			answer = append([]string{"ok"}, answer...)
		}
		fmt.Println(strings.Join(answer, "\t"))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func open(sdk, endpoint, region string) (client, error) {
	key, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	token := os.Getenv("AWS_SESSION_TOKEN")
	if sdk == "aws" {
		_, pathStyle := os.LookupEnv("PATH_STYLE")
		var provider aws.CredentialsProvider = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token}, nil
		})
		if key == "" {
			// Wherever the SDK finds some, as for the token of a pod.
			found, err := config.LoadDefaultConfig(context.Background(), config.WithRegion(region))
			if err != nil {
				return nil, err
			}
			provider = found.Credentials
		}
		s3 := s3.New(s3.Options{
			BaseEndpoint: &endpoint,
			Region:       region,
			UsePathStyle: pathStyle,
			Retryer:      aws.NopRetryer{},
			Credentials:  provider,
		})
		return amazon{s3}, nil
	}
	at, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if sdk == "minio-dns" {
		lookup = minio.BucketLookupDNS
	}
	s3, err := minio.New(at.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(key, secret, token),
		Secure:       at.Scheme == "https",
		BucketLookup: lookup,
		MaxRetries:   1,
	})
	return mini{s3}, err
}

func run(s3 client, words []string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch command, words := words[0], words[1:]; {
	case command == "put" && len(words) == 3:
		return nil, s3.put(ctx, words[0], words[1], words[2], part)
	case command == "put" && len(words) == 4:
		size, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			return nil, err
		}
		return nil, s3.put(ctx, words[0], words[1], words[2], size)
	case command == "get" && len(words) == 3:
		return nil, s3.get(ctx, words[0], words[1], words[2])
	case command == "list" && len(words) == 1:
		return s3.list(ctx, words[0])
	case command == "copy" && len(words) == 3:
		return nil, s3.copy(ctx, words[0], words[1], words[2])
	case command == "delete" && len(words) == 2:
		return nil, s3.delete(ctx, words[0], words[1])
	case command == "presign" && len(words) == 3:
		link, err := s3.presign(ctx, words[0], words[1], words[2])
		return []string{link}, err
	}
	return nil, fmt.Errorf("no such command: %q", words)
}

type amazon struct{ s3 *s3.Client }

func (c amazon) put(ctx context.Context, bucket, key, file string, part int64) error {
	body, err := os.Open(file)
	if err != nil {
		return err
	}
	defer body.Close()
	manager := transfermanager.New(c.s3, func(options *transfermanager.Options) {
		options.PartSizeBytes = part
		options.MultipartUploadThreshold = part
	})
	_, err = manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &key, Body: body})
	return err
}

func (c amazon) get(ctx context.Context, bucket, key, file string) error {
	object, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer object.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = out.ReadFrom(object.Body)
	return err
}

func (c amazon) list(ctx context.Context, bucket string) (keys []string, err error) {
	page, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	if err == nil {
		for _, item := range page.Contents {
			keys = append(keys, *item.Key)
		}
	}
	return keys, err
}

func (c amazon) copy(ctx context.Context, bucket, key, target string) error {
	source := bucket + "/" + url.PathEscape(key)
	_, err := c.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &target, CopySource: &source})
	return err
}

func (c amazon) delete(ctx context.Context, bucket, key string) error {
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return err
}

func (c amazon) presign(ctx context.Context, bucket, key, method string) (string, error) {
	signer := s3.NewPresignClient(c.s3, s3.WithPresignExpires(expiry))
	if method == "PUT" {
		request, err := signer.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return "", err
		}
		return request.URL, nil
	}
	request, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	return request.URL, nil
}

type mini struct{ s3 *minio.Client }

func (c mini) put(ctx context.Context, bucket, key, file string, part int64) error {
	_, err := c.s3.FPutObject(ctx, bucket, key, file, minio.PutObjectOptions{PartSize: uint64(part)})
	return err
}

func (c mini) get(ctx context.Context, bucket, key, file string) error {
	return c.s3.FGetObject(ctx, bucket, key, file, minio.GetObjectOptions{})
}

func (c mini) list(ctx context.Context, bucket string) (keys []string, err error) {
	for item := range c.s3.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if item.Err != nil {
			return nil, item.Err
		}
		keys = append(keys, item.Key)
	}
	return keys, nil
}

func (c mini) copy(ctx context.Context, bucket, key, target string) error {
	_, err := c.s3.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: target},
		minio.CopySrcOptions{Bucket: bucket, Object: key})
	return err
}

func (c mini) delete(ctx context.Context, bucket, key string) error {
	return c.s3.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{})
}

func (c mini) presign(ctx context.Context, bucket, key, method string) (string, error) {
	link, err := c.s3.Presign(ctx, method, bucket, key, expiry, nil)
	if err != nil {
		return "", err
	}
	return link.String(), nil
}
