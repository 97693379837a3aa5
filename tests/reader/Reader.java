import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads a topic with Avro's own library and no vendor's: Reader BOOTSTRAP REGISTRY_URL TOPIC [OLDER.avsc].
 *
 * Prints each record as a line of JSON, {"key":…,"record":{…},"older":{…}}, as read.py takes them with --decoded. Null
 * fields are left out, all else is as the record has it.
 */
public final class Reader {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final Map<Integer, Schema> SCHEMAS = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        String registry = arguments[1], topic = arguments[2];
        Schema older = arguments.length > 3 ? new Schema.Parser().parse(new java.io.File(arguments[3])) : null;
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "isolation.level", "read_committed",
            "enable.auto.commit", false,
            "auto.offset.reset", "earliest");
        StringBuilder out = new StringBuilder();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    out.append("{\"key\":");
                    text(out, record.key());
                    out.append(",\"record\":");
                    json(out, decode(record.value(), registry, null));
                    if (older != null) {
                        out.append(",\"older\":");
                        json(out, decode(record.value(), registry, older));
                    }
                    out.append("}\n");
                }
            }
        }
        System.out.print(out);
    }

    /** Confluent's wire format: a zero byte, the schema's id (4 bytes, big-endian), Avro's binary encoding. */
    private static GenericRecord decode(byte[] value, String registry, Schema reader) throws Exception {
        ByteBuffer framed = ByteBuffer.wrap(value);
        if (framed.get() != 0) {
            throw new IllegalStateException("not Confluent's wire format");
        }
        Schema writer = schema(registry, framed.getInt());
        var binary = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
        GenericRecord record = new GenericDatumReader<GenericRecord>(writer, reader == null ? writer : reader).read(null, binary);
        if (!binary.isEnd()) {
            throw new IllegalStateException("bytes behind the record");
        }
        return record;
    }

    private static Schema schema(String registry, int id) throws Exception {
        if (!SCHEMAS.containsKey(id)) {
            var request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).build();
            String answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString()).body();
            SCHEMAS.put(id, new Schema.Parser().parse(new ObjectMapper().readTree(answer).get("schema").asText()));
        }
        return SCHEMAS.get(id);
    }

    private static void json(StringBuilder out, Object value) {
        String comma = "";
        if (value instanceof GenericRecord record) {
            out.append('{');
            for (Schema.Field field : record.getSchema().getFields()) {
                if (record.get(field.pos()) != null) {
                    out.append(comma);
                    text(out, field.name());
                    out.append(':');
                    json(out, record.get(field.pos()));
                    comma = ",";
                }
            }
            out.append('}');
        } else if (value instanceof Map<?, ?> map) {
            out.append('{');
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(comma);
                text(out, entry.getKey().toString());
                out.append(':');
                json(out, entry.getValue());
                comma = ",";
            }
            out.append('}');
        } else if (value instanceof Collection<?> elements) {
            out.append('[');
            for (Object element : elements) {
                out.append(comma);
                json(out, element);
                comma = ",";
            }
            out.append(']');
        } else if (value instanceof CharSequence) {
            text(out, value.toString());
        } else {
            // Numbers, booleans and null are written in Java as in JSON.
            out.append(value);
        }
    }

    private static void text(StringBuilder out, String text) {
        out.append('"');
        for (char unit : text.toCharArray()) {
            if (unit < ' ' || unit > '~' || unit == '"' || unit == '\\') {
                out.append(String.format("\\u%04x", (int) unit));
            } else {
                out.append(unit);
            }
        }
        out.append('"');
    }
}
